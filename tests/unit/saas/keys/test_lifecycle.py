"""Keys that follow each other: by age, by hand, at several workers at once, and under load."""

import asyncio
import os
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from saas.keys.errors import SigningKeyNotFound
from saas.keys.lifecycle import KeyInfo, KeyLifecycle, Step, steps
from saas.keys.service import KeyService
from saas.kit.clock import utc_now
from saas.kit.crypto import Sealer, UnsealError
from saas.services import Services
from saas.settings import KeysSettings, Settings, TokensSettings, decode_key
from tenants.changes import Changes
from tenants.registry import Tenant

DAY = timedelta(days=1)
KEYS = KeysSettings(rotate_after=int(90 * DAY.total_seconds()), publish_before=int(DAY.total_seconds()))
TOKENS = TokensSettings()
VERIFIES = timedelta(seconds=max(TOKENS.access_ttl, TOKENS.id_ttl))


class Keeper:
    """The lifecycle of one tenant's keys, on a clock of its own."""

    def __init__(self, services: Services, tenant: Tenant) -> None:
        self.services = services
        self.tenant = tenant
        self.now = utc_now()
        self.lifecycle = KeyLifecycle(services.sealer, KEYS, TOKENS, lambda: self.now)
        self.keys = KeyService(services.database, services.sealer, services.changes)

    async def advance(self, **passed: float) -> int:
        self.now += timedelta(**passed)
        async with self.services.database.tenant_session(self.tenant) as session:
            return await self.lifecycle.advance(session, self.tenant.id)

    async def rotate(self, algorithm: str = "ES256", **passed: float) -> str | None:
        self.now += timedelta(**passed)
        async with self.services.database.tenant_session(self.tenant) as session:
            return await self.lifecycle.rotate(session, self.tenant.id, algorithm)

    async def all(self) -> list[KeyInfo]:
        async with self.services.database.tenant_session(self.tenant) as session:
            return await self.lifecycle.list(session)

    async def statuses(self) -> list[str]:
        return [key.status for key in await self.all()]

    async def published(self) -> list[str]:
        return [jwk["kid"] for jwk in (await self.keys.ring(self.tenant)).jwks()["keys"]]


@pytest.fixture
def keeper(services: Services, tenant: Tenant) -> Keeper:
    return Keeper(services, tenant)


async def test_a_key_lives_from_next_to_retired_by_age(keeper: Keeper) -> None:
    (first,) = await keeper.all()
    assert await keeper.advance(days=88) == 0
    assert await keeper.advance(days=1) == 1
    assert await keeper.statuses() == ["active", "next"]
    second = (await keeper.all())[1].kid
    assert sorted(await keeper.published()) == sorted([first.kid, second])  # published, and does not sign
    assert (await keeper.keys.ring(keeper.tenant)).signer().kid == first.kid
    assert await keeper.advance(hours=23) == 0
    assert await keeper.advance(hours=1) == 1
    assert await keeper.statuses() == ["retiring", "active"]
    assert (await keeper.keys.ring(keeper.tenant)).signer().kid == second
    assert (await keeper.keys.ring(keeper.tenant)).verification_key(first.kid) is not None
    assert await keeper.advance(seconds=VERIFIES.total_seconds()) == 0  # the last token may live until now
    assert await keeper.advance(minutes=1) == 1
    assert await keeper.statuses() == ["retired", "active"]
    assert await keeper.published() == [second]
    assert await keeper.advance(days=1) == 0


async def test_the_private_part_of_a_retired_key_is_erased(keeper: Keeper) -> None:
    for passed in ({"days": 89}, {"days": 1}, {"days": 1}):
        await keeper.advance(**passed)
    async with keeper.services.database.tenant_session(keeper.tenant) as session:
        rows = (await session.execute(text("SELECT status, length(private_key) FROM signing_keys ORDER BY id"))).all()
    assert [(status, size > 0) for status, size in rows] == [("retired", False), ("active", True)]


async def test_by_hand_the_next_key_is_published_at_once_and_signs_when_it_is_old_enough(keeper: Keeper) -> None:
    assert await keeper.rotate() == "published"
    assert keeper.lifecycle.rotatable(await keeper.all()) == set()
    assert await keeper.rotate() is None
    assert await keeper.statuses() == ["active", "next"]
    assert await keeper.rotate(days=1) == "activated"
    assert await keeper.statuses() == ["retiring", "active"]
    assert await keeper.rotate(days=1) == "published"  # besides, the first is retired
    assert await keeper.statuses() == ["retired", "active", "next"]
    assert await keeper.rotate() is None
    with pytest.raises(SigningKeyNotFound, match="no RS256 key"):
        await keeper.rotate("RS256")


async def test_algorithms_rotate_apart(keeper: Keeper) -> None:
    await keeper.keys.ring_with(keeper.tenant, "RS256")
    await keeper.rotate("RS256")
    await keeper.rotate("RS256", days=1)
    by_status = [(key.algorithm, key.status) for key in await keeper.all()]
    assert by_status == [("ES256", "active"), ("RS256", "retiring"), ("RS256", "active")]
    ring = await keeper.keys.ring(keeper.tenant)
    assert set(ring.algorithms) == {"ES256", "RS256"}


async def test_several_workers_at_once_take_each_step_once(keeper: Keeper) -> None:
    keeper.now += 89 * DAY
    assert sorted(await asyncio.gather(*(keeper.advance() for _ in range(4)))) == [0, 0, 0, 1]
    keeper.now += DAY
    assert sorted(await asyncio.gather(*(keeper.advance() for _ in range(4)))) == [0, 0, 0, 1]
    assert await keeper.statuses() == ["retiring", "active"]


async def test_keys_can_be_sealed_anew_under_another_master_key(
    services: Services, settings: Settings, keeper: Keeper, tenant: Tenant
) -> None:
    await keeper.rotate()
    before = decode_key(settings.secrets.master_key)
    fresh = os.urandom(32)
    lifecycle = KeyLifecycle(Sealer(fresh, [before]), KEYS, TOKENS)
    for expected in (2, 0):
        async with services.database.tenant_session(tenant) as session:
            assert await lifecycle.rewrap(session, tenant.id) == expected
    ring = await KeyService(services.database, Sealer(fresh), Changes()).ring(tenant)
    assert ring.algorithms == ("ES256",)
    with pytest.raises(UnsealError):
        await KeyService(services.database, Sealer(before), Changes()).ring(tenant)


def test_what_is_due_is_decided_by_age_alone() -> None:
    now = datetime.fromisoformat("2030-01-01T00:00:00+00:00")

    def key(kid: str, status: str, **ages: timedelta) -> KeyInfo:
        times = {name: now - age for name, age in ages.items()}
        created = times.get("created_at", now)
        return KeyInfo(kid, "ES256", status, created, times.get("activated_at"), times.get("retired_at"))

    def due(*keys: KeyInfo) -> list[Step]:
        return steps(keys, now, rotate_after=90 * DAY, publish_before=DAY)

    assert due(key("a", "active", activated_at=88 * DAY)) == []
    assert due(key("a", "active", activated_at=89 * DAY)) == [Step("publish", "ES256")]
    waiting = key("b", "next", created_at=DAY / 2)
    assert due(key("a", "active", activated_at=200 * DAY), waiting) == []
    ready = key("b", "next", created_at=DAY)
    assert due(key("a", "active", activated_at=2 * DAY), ready) == [Step("activate", "ES256", "b")]
    assert due(key("a", "retiring", retired_at=-DAY), key("b", "active", activated_at=DAY)) == []
    assert due(key("a", "retiring", retired_at=timedelta(0))) == [Step("retire", "ES256", "a")]
