"""What is past its end goes, and nothing else; of several who clean at once, each row goes with one."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from saas.oauth.grants.cleanup import Cleanup
from saas.settings import TokensSettings
from tenants.registry import Tenant
from tests.unit.saas.identity.world import ChosenClock
from tests.unit.saas.oauth.flow import App, Flow, code_of, tokens_of

TOKENS = TokensSettings()
TABLES = ["oauth_codes", "oauth_refresh_families", "oauth_consents", "oauth_revocations", "oauth_assertions"]


class Cleaner:
    def __init__(self, flow: Flow, tenant: Tenant) -> None:
        self.flow = flow
        self.tenant = tenant
        self.clock = ChosenClock()
        self.cleanup = Cleanup(TOKENS, self.clock)

    async def purge(self, limit: int = 1000) -> int:
        async with self.flow.people.services.database.tenant_session(self.tenant) as session:
            return await self.cleanup.purge(session, limit)

    async def left(self) -> dict[str, int]:
        async with self.flow.people.services.database.tenant_session(self.tenant) as session:
            return {name: await session.scalar(text(f"SELECT count(*) FROM {name}")) or 0 for name in TABLES}

    async def execute(self, statement: str, **parameters: object) -> Any:
        return await self.flow.execute(self.tenant, statement, **parameters)


@pytest.fixture
def cleaner(flow: Flow, tenant: Tenant) -> Cleaner:
    return Cleaner(flow, tenant)


async def test_a_code_stays_as_long_as_the_access_tokens_that_it_yielded(cleaner: Cleaner) -> None:
    _, browser = await cleaner.flow.person(cleaner.tenant)
    await tokens_of(browser, await cleaner.flow.app(cleaner.tenant))
    cleaner.clock.ahead = timedelta(seconds=TOKENS.code_ttl + TOKENS.access_ttl - 2)
    assert await cleaner.purge() == 0
    cleaner.clock.ahead += timedelta(seconds=4)
    assert await cleaner.purge() == 1
    assert (await cleaner.left())["oauth_codes"] == 0


@pytest.mark.parametrize(
    ("column", "age"),
    [
        ("expires_at", timedelta(0)),
        ("last_used_at", timedelta(seconds=TOKENS.refresh_idle)),
        ("revoked_at", timedelta(seconds=TOKENS.access_ttl)),
    ],
)
async def test_a_family_goes_when_it_is_past_its_end(cleaner: Cleaner, column: str, age: timedelta) -> None:
    _, browser = await cleaner.flow.person(cleaner.tenant)
    await tokens_of(browser, await cleaner.flow.app(cleaner.tenant))
    for younger, left in ((timedelta(minutes=1), 1), (-timedelta(minutes=1), 0)):
        moment = cleaner.clock() - age + younger
        await cleaner.execute(f"UPDATE oauth_refresh_families SET {column} = :t", t=moment)
        await cleaner.purge()
        assert (await cleaner.left())["oauth_refresh_families"] == left


async def test_consents_go_with_the_revocation_of_their_client(cleaner: Cleaner) -> None:
    _, browser = await cleaner.flow.person(cleaner.tenant)
    apps: list[App] = [await cleaner.flow.app(cleaner.tenant) for _ in range(2)]
    for app in apps:
        await code_of(browser, app)
    await cleaner.purge()
    assert (await cleaner.left())["oauth_consents"] == 2
    await cleaner.execute("UPDATE oauth_clients SET revoked_at = now() WHERE client_id = :c", c=apps[0].client_id)
    await cleaner.purge()
    assert (await cleaner.left())["oauth_consents"] == 1


async def test_two_at_once_delete_all_and_each_row_once_and_wait_for_nobody(cleaner: Cleaner) -> None:
    rows = "SELECT 'r' || g, now() - interval '1 day' FROM generate_series(1, 1000) g"
    await cleaner.execute(f"INSERT INTO oauth_revocations (id, expires_at) {rows}")
    await cleaner.execute("INSERT INTO oauth_revocations (id, expires_at) VALUES ('live', now() + interval '1 day')")

    async def all_of_it() -> int:
        total = 0
        while deleted := await cleaner.purge(limit=30):
            total += deleted
        return total

    database = cleaner.flow.people.services.database
    async with database.tenant_session(cleaner.tenant) as session:
        await session.execute(text("SELECT id FROM oauth_revocations WHERE id = 'r7' FOR UPDATE"))
        async with asyncio.timeout(20):
            done = await asyncio.gather(all_of_it(), all_of_it())
    assert sum(done) == 999
    assert min(done) > 0
    assert await cleaner.purge() == 1
    assert (await cleaner.left())["oauth_revocations"] == 1


async def test_used_assertions_go_when_they_could_not_be_used_again_anyway(cleaner: Cleaner) -> None:
    values = "(:a, now() - interval '1 second'), (:b, now() + interval '1 hour')"
    await cleaner.execute(f"INSERT INTO oauth_assertions (digest, expires_at) VALUES {values}", a=b"a", b=b"b")
    assert await cleaner.purge() == 1
    assert (await cleaner.left())["oauth_assertions"] == 1
