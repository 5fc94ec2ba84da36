"""Hashtags that people show on their profiles."""
