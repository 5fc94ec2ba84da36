"""Remembers what was done, for effects that can't safely repeat."""

from typing import Final

from sqlalchemy import Column, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

TABLE: Final = Table("inbox", MetaData(), Column("consumer", Text, primary_key=True), Column("event_id", Text, primary_key=True))

CREATE_V1: Final = """
    CREATE TABLE inbox (
        consumer text NOT NULL,
        event_id text NOT NULL,
        seen_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (consumer, event_id)
    );
"""
"""What a service's migration runs to have an inbox."""


async def first_time(session: AsyncSession, consumer: str, event_id: str) -> bool:
    """True once for each consumer and event, in the transaction of the effect; False ever after."""
    statement = insert(TABLE).values(consumer=consumer, event_id=event_id).on_conflict_do_nothing().returning(TABLE.c.event_id)
    return (await session.execute(statement)).first() is not None
