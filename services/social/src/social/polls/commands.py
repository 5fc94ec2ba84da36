"""Keeping polls as `posts` tells them, and votes: one of each person in each revision of a poll.

Whoever changes a poll or its votes locks the poll first, before any count of accounts or posts: so its tallies are always what its votes say.
"""

from collections.abc import Sequence

from common.errors import NotFound
from common.events import PostState
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social.polls import domain
from social.rendering.visibility import MAY_SEE

_KEEP = text("""
    INSERT INTO polls AS o (post_id, author_id, revision, options, multiple, hide_totals, expires_at, tallies)
    VALUES (:post, :author, :revision, :options, :multiple, :hide_totals, :expires_at, :zeros)
    ON CONFLICT (post_id) DO UPDATE SET
        revision = EXCLUDED.revision, options = EXCLUDED.options, multiple = EXCLUDED.multiple, hide_totals = EXCLUDED.hide_totals,
        expires_at = EXCLUDED.expires_at,
        tallies = CASE WHEN o.revision = EXCLUDED.revision THEN o.tallies ELSE EXCLUDED.tallies END,
        voters = CASE WHEN o.revision = EXCLUDED.revision THEN o.voters ELSE 0 END,
        told = o.told AND o.expires_at = EXCLUDED.expires_at,
        told_up_to = CASE WHEN o.expires_at = EXCLUDED.expires_at THEN o.told_up_to ELSE 0 END
""")
_DROP = text("DELETE FROM polls WHERE post_id = :post")
_DROP_VOID = text("DELETE FROM poll_votes WHERE post_id = :post AND revision <> :revision")
# The end has begun with the first who was told of it, whatever the time is by then.
_LOCK = text(
    """
    SELECT o.author_id, o.revision, o.multiple, o.tallies, o.told OR o.told_up_to > 0 OR o.expires_at <= clock_timestamp() AS ended
    FROM polls o JOIN snapshots s ON s.post_id = o.post_id JOIN profiles p ON p.account_id = s.author_id
    WHERE o.post_id = :post AND """
    + MAY_SEE.replace("%(viewer)s", ":viewer")
    + " FOR NO KEY UPDATE OF o"
)
_VOTE = text("""
    INSERT INTO poll_votes (post_id, revision, account_id, choices) VALUES (:post, :revision, :account, :choices)
    ON CONFLICT DO NOTHING RETURNING post_id
""")
_COUNT = text("UPDATE polls SET voters = voters + 1, tallies = :tallies WHERE post_id = :post")
_LOCK_VOTED = text("""
    SELECT post_id FROM polls WHERE post_id IN (SELECT post_id FROM poll_votes WHERE account_id = :account) ORDER BY post_id FOR NO KEY UPDATE
""")
_FORGET = text("""
    WITH gone AS (DELETE FROM poll_votes WHERE account_id = :account RETURNING post_id, revision, choices)
    UPDATE polls o SET voters = o.voters - 1, tallies = ARRAY(
        SELECT t.votes - CAST(t.place - 1 = ANY(g.choices) AS int) FROM unnest(o.tallies) WITH ORDINALITY t (votes, place) ORDER BY t.place
    )
    FROM gone g WHERE g.post_id = o.post_id AND g.revision = o.revision
""")


async def keep_poll(session: AsyncSession, post: PostState, *, first: bool) -> None:
    """Keep what a post asks now, or that it asks nothing any more. Votes are another's: `drop_void_votes`."""
    if post.poll is not None:
        poll = {
            "post": post.post_id,
            "author": post.author_id,
            "revision": post.poll.revision,
            "options": post.poll.options,
            "multiple": post.poll.multiple,
            "hide_totals": post.poll.hide_totals,
            "expires_at": post.poll.expires_at,
            "zeros": [0] * len(post.poll.options),
        }
        await session.execute(_KEEP, poll)
    elif not first:
        await session.execute(_DROP, {"post": post.post_id})


async def drop_void_votes(session: AsyncSession, post: PostState) -> None:
    """Delete the votes for what a post asked before."""
    await session.execute(_DROP_VOID, {"post": post.post_id, "revision": post.poll.revision if post.poll else 0})


async def vote(session: AsyncSession, caller: int, poll_id: int, choices: Sequence[str]) -> None:
    """Vote, once. Raises `NotFound` when the caller may not see the post, and the errors of `domain`."""
    poll = (await session.execute(_LOCK, {"post": poll_id, "viewer": caller})).first()
    if poll is None:
        raise NotFound
    chosen = domain.check(choices, len(poll.tallies), multiple=poll.multiple, ended=poll.ended, own=poll.author_id == caller)
    ballot = {"post": poll_id, "revision": poll.revision, "account": caller, "choices": chosen}
    if (await session.execute(_VOTE, ballot)).first() is None:
        raise domain.AlreadyVoted
    tallies = [votes + (place in chosen) for place, votes in enumerate(poll.tallies)]
    await session.execute(_COUNT, {"post": poll_id, "tallies": tallies})


async def forget_votes(session: AsyncSession, account_id: int) -> None:
    """Take the votes of a deleted account out of all polls. Locks them, so it stands before everything that locks counts."""
    await session.execute(_LOCK_VOTED, {"account": account_id})
    await session.execute(_FORGET, {"account": account_id})
