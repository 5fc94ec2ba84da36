"""What clients that stream are shown: which of those who look on get a post or boost into which of their feeds, rendered for each."""
