"""Endpoints of `notify`."""
