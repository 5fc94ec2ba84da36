"""Favourites, boosts, bookmarks."""
