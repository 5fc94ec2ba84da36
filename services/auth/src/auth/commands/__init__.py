"""Changes of `auth`, by noun."""
