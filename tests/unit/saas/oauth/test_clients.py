import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from saas.authserver.client import Client
from saas.oauth.clients import NewClient
from saas.oauth.definition import ClientDefinition
from saas.oauth.errors import ClientNotFound, InvalidClientDefinition, TooManySecrets
from saas.oauth.models import ClientSecretRow
from saas.oauth.registered import ClientInfo
from tests.unit.saas.oauth.conftest import World

DAY = timedelta(days=1)
GOOD: dict[str, Any] = {"name": "Machine", "grant_types": ["client_credentials"], "scopes": ["projects:read"]}


async def create(world: World, **changed: Any) -> NewClient:
    async with world.database.tenant_session(world.acme) as session:
        return await world.clients.create(session, world.acme, ClientDefinition(**{**GOOD, **changed}))


async def rotate(world: World, client_id: str, overlap: timedelta = DAY) -> str:
    async with world.database.tenant_session(world.acme) as session:
        return await world.clients.rotate_secret(session, world.acme, client_id, overlap)


async def info(world: World, client_id: str) -> ClientInfo:
    async with world.database.tenant_session(world.acme) as session:
        return next(one for one in await world.clients.list(session) if one.client_id == client_id)


async def found(world: World, client_id: str) -> Client:
    client = await world.clients.find(world.acme, client_id)
    assert client is not None
    return client


async def test_ids_and_secrets_cannot_be_guessed_and_the_secret_is_not_stored(world: World) -> None:
    client_id, secret = await create(world)
    assert re.fullmatch(r"app_[0-9a-f]{32}", client_id)
    assert len(secret) == 43
    async with world.database.tenant_session(world.acme) as session:
        digests = list(await session.scalars(select(ClientSecretRow.digest)))
    assert secret.encode() not in b"".join(digests)
    assert secret not in repr(await found(world, client_id))


async def test_a_new_client_is_listed_as_it_was_made(world: World) -> None:
    client_id, _ = await create(
        world, name="  R\u00e9sum\u00e9 \u2603 ", scopes=["projects:write", "projects:read"] * 2
    )
    client = await info(world, client_id)
    assert client.name == "R\u00e9sum\u00e9 \u2603"
    assert client.scopes == client.default_scopes == ("projects:write", "projects:read")
    assert (client.grant_types, client.auth_method) == (("client_credentials",), "client_secret_basic")
    assert (client.secrets, client.revoked_at) == (1, None)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": ""}, "1 to 100"),
        ({"name": "x" * 101}, "1 to 100"),
        ({"name": "a\nb"}, "control character"),
        ({"scopes": ["projects:read", "nope", "nor:this"]}, "nope, nor:this. Known: projects:read, projects:write"),
        ({"scopes": []}, "at least one scope of: projects:read"),
        ({"default_scopes": ["projects:write"]}, "Unknown default scope: projects:write. Known: projects:read"),
        (
            {"grant_types": ["password"]},
            "Unknown grant: password. Known: authorization_code, refresh",
        ),
        ({"grant_types": []}, "at least one grant"),
        ({"auth_method": "magic"}, "Unknown authentication method: magic"),
    ],
)
async def test_a_wrong_definition_is_refused_with_what_is_right(
    world: World, changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidClientDefinition) as caught:
        await create(world, **changed)
    assert says in caught.value.detail
    assert caught.value.status == 422


async def test_a_client_that_was_looked_up_before_it_was_made_is_found_at_once(world: World) -> None:
    assert await world.clients.find(world.acme, "app_" + "1" * 32) is None
    client_id, _ = await create(world)
    assert (await found(world, client_id)).client_id == client_id
    assert await world.clients.find(world.globex, client_id) is None


@pytest.mark.parametrize("client_id", ["", "a\0b", "\u2603", "x" * 256, "app_'; drop table oauth_clients"])
async def test_any_string_can_be_looked_up(world: World, client_id: str) -> None:
    assert await world.clients.find(world.acme, client_id) is None


async def test_a_scope_that_no_feature_declares_any_more_is_not_granted(world: World) -> None:
    client_id, _ = await create(world)
    async with world.database.tenant_session(world.acme) as session:
        await session.execute(
            text(
                "UPDATE oauth_clients SET scopes = ARRAY['projects:read', 'old:scope'],"
                " default_scopes = ARRAY['old:scope'] WHERE client_id = :id"
            ),
            {"id": client_id},
        )
    client = await found(world, client_id)
    assert (client.scopes, client.default_scopes) == (("projects:read",), ())


async def test_the_overlap_is_written_in_the_record_that_is_cached(world: World) -> None:
    client_id, first = await create(world)
    second = await rotate(world, client_id, timedelta(hours=1))
    client = await found(world, client_id)
    ends = next(secret.expires_at for secret in client.secrets if secret.expires_at is not None)
    assert client.has_secret(first, ends - 1)
    assert not client.has_secret(first, ends)
    assert client.has_secret(second, ends)


async def test_a_rotation_never_lengthens_what_a_secret_has_left(world: World) -> None:
    client_id, _ = await create(world)
    await rotate(world, client_id, timedelta(hours=1))
    await rotate(world, client_id, timedelta(days=30))
    ends = sorted(secret.expires_at for secret in (await found(world, client_id)).secrets if secret.expires_at)
    assert 28 * 86_400 < ends[1] - ends[0] < 30 * 86_400


async def test_secrets_do_not_pile_up(world: World) -> None:
    client_id, _ = await create(world)
    for _ in range(9):
        await rotate(world, client_id)
    with pytest.raises(TooManySecrets, match="overlap of 0"):
        await rotate(world, client_id)
    assert (await info(world, client_id)).secrets == 10
    last = await rotate(world, client_id, timedelta(0))
    client = await found(world, client_id)
    assert len(client.secrets) == 1
    assert client.has_secret(last, 0)


async def test_rotations_at_the_same_time_all_yield_a_secret_that_works(world: World) -> None:
    client_id, _ = await create(world)
    secrets = await asyncio.gather(*(rotate(world, client_id) for _ in range(4)))
    client = await found(world, client_id)
    assert all(client.has_secret(secret, 0) for secret in secrets)
    assert sum(secret.expires_at is None for secret in client.secrets) == 1


@pytest.mark.parametrize("overlap", [timedelta(seconds=-1), timedelta(days=91)])
async def test_the_overlap_has_bounds(world: World, overlap: timedelta) -> None:
    client_id, _ = await create(world)
    with pytest.raises(InvalidClientDefinition, match="between 0 and 90 days"):
        await rotate(world, client_id, overlap)


async def test_a_revoked_client_is_gone_for_good_but_still_listed(world: World) -> None:
    client_id, _ = await create(world)
    assert await world.clients.find(world.acme, client_id)
    for first in (True, False):
        async with world.database.tenant_session(world.acme) as session:
            assert await world.clients.revoke(session, world.acme, client_id) is first
    assert await world.clients.find(world.acme, client_id) is None
    client = await info(world, client_id)
    assert client.secrets == 0
    assert client.revoked_at is not None
    with pytest.raises(ClientNotFound, match="revoked"):
        await rotate(world, client_id)


async def test_an_unknown_client_cannot_be_changed(world: World) -> None:
    with pytest.raises(ClientNotFound, match="saas clients list"):
        await rotate(world, "app_x")
    async with world.database.tenant_session(world.acme) as session:
        with pytest.raises(ClientNotFound):
            await world.clients.revoke(session, world.acme, "app_x")
