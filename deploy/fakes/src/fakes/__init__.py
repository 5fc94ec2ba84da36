"""Outside services that speak their real contracts, errors included."""
