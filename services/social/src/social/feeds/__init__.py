"""Feeds: fan-out on write, pages by id."""
