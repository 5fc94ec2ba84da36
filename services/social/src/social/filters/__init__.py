"""Filters: what people don't want to see, or not at once."""
