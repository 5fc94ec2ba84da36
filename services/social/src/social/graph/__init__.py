"""Relations: follows, requests, blocks, mutes."""
