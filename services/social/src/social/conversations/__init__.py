"""Conversations: threads of direct posts, as each of those who take part has them."""
