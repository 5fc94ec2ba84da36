"""Whom somebody may want to follow, and why."""
