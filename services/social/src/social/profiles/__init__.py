"""Profiles: who somebody says they are."""
