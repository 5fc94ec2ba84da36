"""Which posts and boosts belong into whose home feed, as SQL conditions: the same wherever feeds are filled, cleared or merged.

Of posts that are answers, direct or hidden more is asked where it matters. `{owner}` is whose feed it is, `s` a snapshot, `f` the owner's
follow of whoever wrote or boosted it.
"""

from typing import Final

IN_LANGUAGE: Final = """
    (f.languages IS NULL OR {language} IS NULL OR {language} = ANY(f.languages) OR split_part({language}, '-', 1) = ANY(f.languages))
"""
"""The follower reads this person in this `{language}`; one that isn't known is read always, and `pt` includes `pt-BR`."""

OF_BOOST: Final = "(SELECT s.language FROM snapshots s WHERE s.post_id = o.post_id)"
"""The language of what a boost `o` shows, looked up only where somebody wants not all of them."""

BY_FOLLOW: Final = "NOT f.aside AND " + IN_LANGUAGE
"""What this person says in this `{language}` is for the home feed: they are in no exclusive list of the follower's."""

ANSWERS_FOLLOWED: Final = """
    (s.reply_to_account_id IS NULL OR s.reply_to_account_id IN (s.author_id, {owner})
     OR (SELECT 1 FROM follows g WHERE g.follower_id = {owner} AND g.followed_id = s.reply_to_account_id) IS NOT NULL)
"""
"""An answer is for the home feed of those who follow both who writes and who is answered."""

SET_ASIDE: Final = """
    EXISTS (SELECT FROM lists l JOIN list_members m ON m.list_id = l.id
            WHERE l.owner_id = {owner} AND l.exclusive AND m.account_id = {author})
"""
"""The owner reads this `{author}` in an exclusive list, and not at home. For people who are followed, `follows.aside` says the same."""

FOR_TAG: Final = f"""
    s.visibility = 'public' AND NOT s.deleted AND s.author_id <> {{owner}}
    AND NOT EXISTS (SELECT FROM blocks WHERE blocker_id = {{owner}} AND blocked_id = s.author_id)
    AND NOT EXISTS (SELECT FROM blocks WHERE blocker_id = s.author_id AND blocked_id = {{owner}})
    AND NOT {SET_ASIDE.format(owner="{owner}", author="s.author_id")}
    AND NOT EXISTS (SELECT FROM follows f WHERE f.follower_id = {{owner}} AND f.followed_id = s.author_id AND NOT {IN_LANGUAGE.format(language="s.language")})
"""
"""The post may come into the home feed by a hashtag: others' public posts, as far as the owner reads these people at home."""

BY_TAG: Final = f"""
    (EXISTS (SELECT FROM hashtags h JOIN followed_tags t ON t.name = h.name AND t.account_id = {{owner}} WHERE h.post_id = s.post_id)
     AND {FOR_TAG})
"""
"""The post is in the home feed because of a hashtag that the owner follows."""
