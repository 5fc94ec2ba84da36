"""Streams of the Mastodon client API: what happens is told at once, over WebSocket or as server-sent events.

What clients send and get stands in `door`, which streams there are in `channels`, who gets what in `hub`, where it is heard of in `listening`.
"""
