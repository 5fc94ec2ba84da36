"""Snapshots of posts: what `posts` said, resolved and ready to show."""
