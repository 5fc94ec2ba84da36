"""Changing filters; every change renews the version of its owner (`social.viewers`), which also has one change wait for the other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from common.errors import NotFound
from common.times import now
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from social import viewers
from social.filters import domain
from social.filters.domain import FilterChange, KeywordChange
from social.interactions.commands import seen
from social.streaming import moments

_CREATE = text("""
    INSERT INTO filters (account_id, title, contexts, action, ends_at)
    VALUES (:account, :title, :contexts, coalesce(:action, 'warn'), :ends_at) RETURNING id
""")
_CHANGE = text("""
    UPDATE filters SET title = coalesce(:title, title), contexts = coalesce(CAST(:contexts AS text[]), contexts),
        action = coalesce(:action, action), ends_at = CASE WHEN :ends THEN CAST(:ends_at AS timestamptz) ELSE ends_at END
    WHERE id = :filter AND account_id = :account RETURNING id
""")
_REMOVE = text("DELETE FROM filters WHERE id = :filter AND account_id = :account RETURNING id")
_OWN = text("SELECT id FROM filters WHERE id = :filter AND account_id = :account")
_COUNTS = text("""
    SELECT (SELECT count(*) FROM filters WHERE account_id = :account) AS filters,
        (SELECT count(*) FROM filters f JOIN filter_keywords k ON k.filter_id = f.id WHERE f.account_id = :account) AS keywords,
        (SELECT count(*) FROM filters f JOIN filter_statuses n ON n.filter_id = f.id WHERE f.account_id = :account) AS posts
""")
_ADD_KEYWORD = text("""
    INSERT INTO filter_keywords (filter_id, keyword, whole_word) VALUES (:filter, :keyword, coalesce(:whole_word, true)) RETURNING id
""")
_OF_OWN: Final = "f.id = t.filter_id AND f.account_id = :account AND t.id = :id AND (CAST(:filter AS bigint) IS NULL OR f.id = :filter)"
_CHANGE_KEYWORD = text(f"""
    UPDATE filter_keywords t SET keyword = coalesce(:keyword, t.keyword), whole_word = coalesce(:whole_word, t.whole_word)
    FROM filters f WHERE {_OF_OWN} RETURNING t.id
""")
_REMOVE_KEYWORD = text(f"DELETE FROM filter_keywords t USING filters f WHERE {_OF_OWN} RETURNING t.id")
_ADD_POST = text("INSERT INTO filter_statuses (filter_id, post_id) VALUES (:filter, :post) ON CONFLICT DO NOTHING RETURNING id")
_REMOVE_POST = text(f"DELETE FROM filter_statuses t USING filters f WHERE {_OF_OWN} RETURNING t.id")
_FILTER_OF = text("""
    SELECT f.id, f.contexts, f.action, f.ends_at, (SELECT count(*) FROM filter_keywords o WHERE o.filter_id = f.id) AS keywords
    FROM filter_keywords k JOIN filters f ON f.id = k.filter_id WHERE k.id = :id AND f.account_id = :account
""")
_REMOVE_IF_EMPTY = text("""
    DELETE FROM filters f WHERE f.id = :filter
      AND NOT EXISTS (SELECT FROM filter_keywords WHERE filter_id = f.id) AND NOT EXISTS (SELECT FROM filter_statuses WHERE filter_id = f.id)
""")


async def create_filter(session: AsyncSession, account_id: int, change: FilterChange, keywords: Sequence[KeywordChange] = ()) -> int:
    """Set up a filter and return its id. Raises the errors of `domain`, and `NotFound` for keywords with an id."""
    checked = domain.check(change, new=True)
    await _begin(session, account_id)
    filter_id = int(await session.scalar(_CREATE, _values(account_id, checked)) or 0)
    await _change_keywords(session, account_id, filter_id, keywords)
    await _check_counts(session, account_id)
    return filter_id


async def change_filter(
    session: AsyncSession, account_id: int, filter_id: int, change: FilterChange, keywords: Sequence[KeywordChange] = ()
) -> None:
    """Change a filter and its keywords. Raises `NotFound` for others', and for keywords that aren't its, the errors of `domain`."""
    checked = domain.check(change, new=False)
    await _begin(session, account_id)
    if await session.scalar(_CHANGE, {**_values(account_id, checked), "ends": checked.ends, "filter": filter_id}) is None:
        raise NotFound
    await _change_keywords(session, account_id, filter_id, keywords)
    await _check_counts(session, account_id)


async def remove_filter(session: AsyncSession, account_id: int, filter_id: int) -> None:
    """Take a filter away. Raises `NotFound`."""
    await _begin(session, account_id)
    if await session.scalar(_REMOVE, {"filter": filter_id, "account": account_id}) is None:
        raise NotFound
    await viewers.forget_if_empty(session, account_id)


async def add_keyword(session: AsyncSession, account_id: int, filter_id: int, new: KeywordChange) -> int:
    """Add a keyword and return its id. Raises `NotFound`, the errors of `domain`."""
    keyword = domain.check_keyword(new.keyword)
    await _lock_own(session, account_id, filter_id)
    added = await session.scalar(_ADD_KEYWORD, {"filter": filter_id, "keyword": keyword, "whole_word": new.whole_word})
    await _check_counts(session, account_id)
    return int(added or 0)


async def change_keyword(session: AsyncSession, account_id: int, change: KeywordChange, filter_id: int | None = None) -> None:
    """Change a keyword, of this filter if one is named. Raises `NotFound`, `InvalidFilter`."""
    keyword = None if change.keyword is None else domain.check_keyword(change.keyword)
    await _begin(session, account_id)
    values = {"account": account_id, "id": change.keyword_id, "filter": filter_id, "keyword": keyword, "whole_word": change.whole_word}
    if await session.scalar(_CHANGE_KEYWORD, values) is None:
        raise NotFound


async def remove_keyword(session: AsyncSession, account_id: int, keyword_id: int, filter_id: int | None = None) -> None:
    """Take a keyword away, of this filter if one is named; the filter stays. Raises `NotFound`."""
    await _begin(session, account_id)
    if await session.scalar(_REMOVE_KEYWORD, {"account": account_id, "id": keyword_id, "filter": filter_id}) is None:
        raise NotFound


async def add_post(session: AsyncSession, account_id: int, filter_id: int, an_id: int) -> int:
    """Have a filter match a post (a boost's id means its post) and return the id of that. Raises `NotFound`, the errors of `domain`."""
    await _lock_own(session, account_id, filter_id)
    try:
        post_id, _, _ = await seen(session, account_id, an_id)
    except NotFound as error:
        raise domain.InvalidFilter("Validation failed: Status is invalid") from error
    added = await session.scalar(_ADD_POST, {"filter": filter_id, "post": post_id})
    if added is None:
        raise domain.InvalidFilter("Validation failed: Status has already been taken")
    await _check_counts(session, account_id)
    return int(added)


async def remove_post(session: AsyncSession, account_id: int, filter_status_id: int) -> None:
    """Have a filter match a post no longer. Raises `NotFound`."""
    await _begin(session, account_id)
    if await session.scalar(_REMOVE_POST, {"account": account_id, "id": filter_status_id, "filter": None}) is None:
        raise NotFound


async def create_single(session: AsyncSession, account_id: int, change: FilterChange, keyword: KeywordChange) -> int:
    """Set up a filter of one keyword, which is its title, and return the keyword's id: what a filter was in the API's first version."""
    phrase = domain.check_keyword(keyword.keyword, "Phrase")
    filter_id = await create_filter(session, account_id, replace(change, title=phrase[: domain.MAX_TITLE]))
    return await add_keyword(session, account_id, filter_id, replace(keyword, keyword=phrase))


async def change_single(session: AsyncSession, account_id: int, change: FilterChange, keyword: KeywordChange) -> None:
    """Change a keyword, and the filter that it is in if it is alone there. Raises `NotFound`, `InvalidFilter`, `SharedByKeywords`."""
    kept = await _filter_of(session, account_id, keyword.keyword_id)
    if keyword.keyword is not None:
        keyword = replace(keyword, keyword=domain.check_keyword(keyword.keyword, "Phrase"))
    if kept.keywords == 1:
        title = None if keyword.keyword is None else keyword.keyword[: domain.MAX_TITLE]
        await change_filter(session, account_id, kept.id, replace(change, title=title))
    elif (
        (change.contexts is not None and set(change.contexts) != set(kept.contexts))
        or change.action not in (None, kept.action)
        or (change.ends and (change.expires_in, kept.ends_at) != (None, None))
    ):
        raise domain.SharedByKeywords
    await change_keyword(session, account_id, keyword)


async def remove_single(session: AsyncSession, account_id: int, keyword_id: int) -> None:
    """Take a keyword away, and the filter with the last thing that was in it. Raises `NotFound`."""
    kept = await _filter_of(session, account_id, keyword_id)
    await remove_keyword(session, account_id, keyword_id)
    await session.execute(_REMOVE_IF_EMPTY, {"filter": kept.id})
    await viewers.forget_if_empty(session, account_id)


async def _begin(session: AsyncSession, account_id: int) -> None:
    """Comes before every change: renews the version of the owner, and has their clients told once of all that one transaction changes."""
    await viewers.renew(session, account_id)
    if "filters_changed" not in session.info:
        session.info["filters_changed"] = True
        await moments.filters_changed(session, account_id)


async def _filter_of(session: AsyncSession, account_id: int, keyword_id: int | None) -> Any:
    await _begin(session, account_id)
    found = (await session.execute(_FILTER_OF, {"account": account_id, "id": keyword_id})).first()
    if found is None:
        raise NotFound
    return found


async def _change_keywords(session: AsyncSession, account_id: int, filter_id: int, changes: Sequence[KeywordChange]) -> None:
    for change in changes:
        if change.keyword_id is None:
            if not change.removed:
                keyword = domain.check_keyword(change.keyword, "Keywords keyword")
                await session.execute(_ADD_KEYWORD, {"filter": filter_id, "keyword": keyword, "whole_word": change.whole_word})
        elif change.removed:
            await remove_keyword(session, account_id, change.keyword_id, filter_id)
        else:
            await change_keyword(session, account_id, change, filter_id)


async def _lock_own(session: AsyncSession, account_id: int, filter_id: int) -> None:
    await _begin(session, account_id)
    if await session.scalar(_OWN, {"filter": filter_id, "account": account_id}) is None:
        raise NotFound


async def _check_counts(session: AsyncSession, account_id: int) -> None:
    """Raises `TooManyFilters`, `TooManyKeywords`, `TooManyPosts`; exact, since changes of one person come one after the other."""
    counts = (await session.execute(_COUNTS, {"account": account_id})).one()
    domain.check_counts(counts.filters, counts.keywords, counts.posts)


def _values(account_id: int, change: FilterChange) -> dict[str, Any]:
    contexts = None if change.contexts is None else list(change.contexts)
    ends_at = None if change.expires_in is None else now() + change.expires_in
    return {"account": account_id, "title": change.title, "contexts": contexts, "action": change.action, "ends_at": ends_at}
