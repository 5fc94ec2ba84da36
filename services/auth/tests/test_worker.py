from typing import TYPE_CHECKING

import pytest
from auth.worker import sweep

if TYPE_CHECKING:
    from .conftest import Doors

pytestmark = pytest.mark.anyio


async def test_the_sweeper_forgets_what_is_over_for_a_week_and_nothing_else(doors: "Doors") -> None:
    account_id, app = await doors.register(), await doors.app()
    kept = (await doors.log_in()).json()["session"]
    for _ in range(2):
        code = (await doors.authorize(account_id, app)).json()["code"]
    token = (await doors.exchange(app, code)).json()["access_token"]
    await doors.run("UPDATE grants SET created_at = now() - interval '8 days'")
    await doors.run("UPDATE requests SET expires_at = now() - interval '8 days'")
    await doors.run("UPDATE tokens SET expires_at = now() - interval '8 days' WHERE id = (SELECT min(id) FROM tokens)")
    await sweep(doors.database)
    assert await doors.introspect(kept)
    assert await doors.introspect(token)
    counts = [await doors.run(f"SELECT count(*) FROM {table}") for table in ("grants", "requests", "tokens")]
    assert counts == [1, 0, 2]
    await doors.run("UPDATE tokens SET revoked_at = now() - interval '8 days' WHERE grant_id IS NOT NULL")
    await sweep(doors.database)
    assert [await doors.run(f"SELECT count(*) FROM {table}") for table in ("grants", "tokens")] == [0, 1]
