import json
import os
from datetime import UTC, datetime

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import delete, select, update

from saas.keys.models import SigningKeyRow
from saas.keys.service import KeyService
from saas.kit.crypto import Sealer, UnsealError
from tenants.changes import Changes
from tenants.database import Database
from tests.unit.saas.keys.conftest import NewPlace, Place

MASTER = os.urandom(32)


@pytest.fixture
def keys(empty_database: Database, changes: Changes) -> KeyService:
    return KeyService(empty_database, Sealer(MASTER), changes)


@pytest.fixture
async def place(empty_database: Database, keys: KeyService, new_place: NewPlace) -> Place:
    place = await new_place()
    async with empty_database.tenant_session(place) as session:
        await keys.create_first(session, place.id)
    return place


async def test_what_the_ring_signs_the_published_keys_verify(keys: KeyService, place: Place) -> None:
    ring = await keys.ring(place)
    kid, key = ring.signing_key()
    token = jwt.encode({"alg": "ES256", "kid": kid}, {"sub": "x"}, key)
    published = KeySet.import_key_set({"keys": ring.jwks()["keys"]})
    assert jwt.decode(token, published, algorithms=["ES256"]).claims == {"sub": "x"}
    verification_key = ring.verification_key(kid)
    assert verification_key is not None
    assert not verification_key.is_private


async def test_only_public_members_are_published_and_the_kid_is_the_thumbprint(keys: KeyService, place: Place) -> None:
    (jwk,) = (await keys.ring(place)).jwks()["keys"]
    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (jwk["kty"], jwk["crv"], jwk["use"], jwk["alg"]) == ("EC", "P-256", "sig", "ES256")
    assert jwk["kid"] == ECKey.import_key({"kty": "EC", "crv": "P-256", "x": jwk["x"], "y": jwk["y"]}).thumbprint()


async def test_create_first_does_nothing_where_a_key_is_active(
    empty_database: Database, keys: KeyService, place: Place
) -> None:
    before = (await keys.ring(place)).signing_key()[0]
    async with empty_database.tenant_session(place) as session:
        await keys.create_first(session, place.id)
    async with empty_database.tenant_session(place) as session:
        assert list(await session.scalars(select(SigningKeyRow.kid))) == [before]


async def test_tenants_share_no_key(
    empty_database: Database, keys: KeyService, place: Place, new_place: NewPlace
) -> None:
    other = await new_place()
    async with empty_database.tenant_session(other) as session:
        await keys.create_first(session, other.id)
    kid = (await keys.ring(place)).signing_key()[0]
    ring = await keys.ring(other)
    assert ring.signing_key()[0] != kid
    assert ring.verification_key(kid) is None


async def test_a_private_key_copied_to_another_tenant_does_not_open(
    empty_database: Database, keys: KeyService, place: Place, new_place: NewPlace
) -> None:
    other = await new_place()
    async with empty_database.tenant_session(place) as session:
        row = (await session.execute(select(SigningKeyRow.__table__))).mappings().one()
    async with empty_database.tenant_session(other) as session:
        session.add(SigningKeyRow(**row))
    with pytest.raises(UnsealError):
        await keys.ring(other)


async def test_only_the_active_key_signs_and_retired_keys_are_gone(
    empty_database: Database, keys: KeyService, place: Place, changes: Changes
) -> None:
    kid = (await keys.ring(place)).signing_key()[0]
    for status in ("next", "retiring"):
        async with empty_database.tenant_session(place) as session:
            await session.execute(update(SigningKeyRow).values(status=status))
        keys = KeyService(empty_database, Sealer(MASTER), changes)
        ring = await keys.ring(place)
        assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [kid]
        assert ring.algorithms == ()
        with pytest.raises(LookupError, match="no active ES256 key"):
            ring.signing_key()
    async with empty_database.tenant_session(place) as session:
        await session.execute(update(SigningKeyRow).values(status="retired", retired_at=datetime.now(UTC)))
    ring = await KeyService(empty_database, Sealer(MASTER), changes).ring(place)
    assert ring.jwks() == {"keys": []}
    assert ring.verification_key(kid) is None


async def test_a_change_drops_the_ring(
    empty_database: Database, keys: KeyService, place: Place, changes: Changes
) -> None:
    first = await keys.ring(place)
    assert await keys.ring(place) is first

    async def publish(message: bytes) -> None:
        changes.received(message)

    elsewhere = Changes(publish)
    empty_database.on_commit = elsewhere.committed
    async with empty_database.tenant_session(place) as session:
        await session.execute(delete(SigningKeyRow))
        await KeyService(empty_database, Sealer(MASTER), elsewhere).create_first(session, place.id)
    second = await keys.ring(place)
    assert second.signing_key()[0] != first.signing_key()[0]


async def test_a_previous_master_key_still_opens(empty_database: Database, place: Place, changes: Changes) -> None:
    ring = await KeyService(empty_database, Sealer(os.urandom(32), [MASTER]), changes).ring(place)
    assert ring.algorithms == ("ES256",)
    with pytest.raises(UnsealError, match="SAAS_SECRETS_PREVIOUS_KEYS"):
        await KeyService(empty_database, Sealer(os.urandom(32)), changes).ring(place)


async def test_the_stored_row_holds_no_private_member(empty_database: Database, place: Place) -> None:
    async with empty_database.tenant_session(place) as session:
        row = (await session.scalars(select(SigningKeyRow))).one()
    assert "d" not in json.loads(row.public_jwk)
    assert Sealer(MASTER).is_current(row.private_key)
