"""Hashtags: how they are used, and following them."""
