"""Endpoints of `posts`."""
