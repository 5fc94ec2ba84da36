"""What `notify` keeps of others' events: notifications, people, and the mails that follow from them."""

from collections.abc import Sequence
from typing import Final

from common.events import ANY_KIND, AccountState, NoticeTrigger, SecurityEvent
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from notify.mail import ledger

# What happens again gets a new id, so that it stands on top and counts as unread; the same notice again has the same time and changes nothing.
# What was taken back stays as `gone`: its notice may be heard of later, as a dead letter is. So may those before all of an actor's were.
# Of deleted posts and accounts nothing is told, however late or often: `apply_account` leaves the latter without a name.
_KEEP = text("""
    INSERT INTO notifications (account_id, dedupe, kind, actor_id, post_id, created_at, gone)
    SELECT :account_id, :dedupe, :kind, :actor_id, :post_id, :at, :gone
    WHERE NOT EXISTS (SELECT FROM gone_posts WHERE post_id = :post_id)
      AND NOT EXISTS (SELECT FROM people WHERE account_id IN (:account_id, :actor_id) AND version > 0 AND username = '')
      AND NOT EXISTS (SELECT FROM notifications WHERE account_id = :account_id AND dedupe = :all AND created_at > :at)
    ON CONFLICT (account_id, dedupe) DO UPDATE SET id = EXCLUDED.id, gone = EXCLUDED.gone, created_at = EXCLUDED.created_at
        WHERE notifications.created_at < EXCLUDED.created_at
    RETURNING id
""")
_RETRACT_ALL = text("""
    UPDATE notifications SET gone = true, created_at = :at WHERE account_id = :account_id AND actor_id = :actor_id AND created_at < :at
""")
# Whoever takes away what is about a post or a person doesn't see what is being written of it just then, nor is seen.
_FORGETTING: Final = 0x666F72676574
_KEEP_FORGETTING_OUT = text("SELECT pg_advisory_xact_lock_shared(:lock)")
_FORGET_ALONE = text("SELECT pg_advisory_xact_lock(:lock)")
_PERSON = text("""
    INSERT INTO people AS p (account_id, version, username, state) VALUES (:account_id, :version, :username, :state)
    ON CONFLICT (account_id) DO UPDATE SET version = EXCLUDED.version, username = EXCLUDED.username, state = EXCLUDED.state
        WHERE p.version < EXCLUDED.version
""")
_MAILED = {"confirmation_requested": "confirmation", "reset_requested": "reset", "password_changed": "notice"}


async def apply_notice(session: AsyncSession, notice: NoticeTrigger) -> bool:
    """Give a notice once, or take it back, also one that comes later; True if something changed.

    Undoing and doing again moves it, but mails only once.
    """
    everything = f"{ANY_KIND}:{notice.actor_id}"
    about = {"account_id": notice.account_id, "actor_id": notice.actor_id, "at": notice.happened_at}
    await session.execute(_KEEP_FORGETTING_OUT, {"lock": _FORGETTING})
    if notice.kind == ANY_KIND:
        await session.execute(_RETRACT_ALL, about)
    dedupe = everything if notice.kind == ANY_KIND else notice.dedupe
    details = {"kind": notice.kind, "post_id": notice.post_id, "gone": notice.retracted, "dedupe": dedupe, "all": everything}
    if (await session.execute(_KEEP, about | details)).first() is None:
        return False
    mail = "follow" if notice.kind == "follow" else ("comment" if notice.kind == "mention" and notice.is_reply else None)
    if mail is not None and not notice.retracted:
        told = {"actor": notice.actor_name, "actor_username": notice.actor_username, "excerpt": notice.excerpt, "post_id": notice.post_id}
        await ledger.plan(session, f"{mail}:{notice.account_id}:{notice.dedupe}", mail, notice.account_id, told)
    return True


async def apply_security(session: AsyncSession, event: SecurityEvent) -> None:
    """Plan the mail that a security event asks for."""
    kind = _MAILED.get(event.kind)
    if kind is not None and event.request_id is not None:
        await ledger.plan(session, f"{kind}:{event.request_id}", kind, event.account_id, {"request_id": event.request_id})


async def apply_account(session: AsyncSession, account: AccountState) -> None:
    """Keep who there is; forget everything of whoever was deleted."""
    if not account.deleted:
        await keep_person(session, account)
        return
    await session.execute(_FORGET_ALONE, {"lock": _FORGETTING})
    await keep_person(session, account)
    only = {"account": account.account_id}
    await session.execute(text("DELETE FROM notifications WHERE account_id = :account OR actor_id = :account"), only)
    for table in ("markers", "announcement_reads"):
        await session.execute(text(f"DELETE FROM {table} WHERE account_id = :account"), only)
    outdated = "UPDATE mails SET details = '{}', state = 'outdated' WHERE account_id = :account AND state <> 'sent'"
    await session.execute(text(outdated), only)


async def keep_person(session: AsyncSession, account: AccountState) -> None:
    """Keep the newest state of an account, of a deleted one without its name."""
    name = "" if account.deleted else account.username
    values = {"account_id": account.account_id, "version": account.version, "username": name, "state": account.state}
    await session.execute(_PERSON, values)


async def forget_posts(session: AsyncSession, posts: Sequence[int]) -> None:
    """Drop the notifications of deleted posts, and remember these: what led to some of them may be told again."""
    await session.execute(_FORGET_ALONE, {"lock": _FORGETTING})
    kept = text("INSERT INTO gone_posts SELECT unnest(CAST(:posts AS bigint[])) ON CONFLICT DO NOTHING")
    await session.execute(kept, {"posts": list(posts)})
    await session.execute(text("DELETE FROM notifications WHERE post_id = ANY(:posts)"), {"posts": list(posts)})
