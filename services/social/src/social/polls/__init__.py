"""Polls: what they ask, who voted for what, and telling those when one ends."""
