import json
import os

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import delete, select, update

from saas.keys.models import SigningKeyRow
from saas.keys.ring import KeyRing
from saas.keys.service import KeyService
from saas.kit.crypto import Sealer, UnsealError
from saas.services import Services
from saas.settings import Settings, decode_key
from tenants.changes import Change, Changes, mark_changed
from tenants.registry import Tenant


@pytest.fixture
def keys(services: Services) -> KeyService:
    """With no ring in memory."""
    return KeyService(services.database, services.sealer, services.changes)


async def test_what_the_ring_signs_the_published_keys_verify(keys: KeyService, tenant: Tenant) -> None:
    ring = await keys.ring(tenant)
    signer = ring.signer()
    token = jwt.encode({"alg": "ES256", "kid": signer.kid}, {"sub": "x"}, signer.key)
    published = KeySet.import_key_set({"keys": ring.jwks()["keys"]})
    assert jwt.decode(token, published, algorithms=["ES256"]).claims == {"sub": "x"}
    verification_key = ring.verification_key(signer.kid)
    assert verification_key is not None
    assert not verification_key.is_private


async def test_only_public_members_are_published_and_the_kid_is_the_thumbprint(
    keys: KeyService, tenant: Tenant
) -> None:
    (jwk,) = (await keys.ring(tenant)).jwks()["keys"]
    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (jwk["kty"], jwk["crv"], jwk["use"], jwk["alg"]) == ("EC", "P-256", "sig", "ES256")
    assert jwk["kid"] == ECKey.import_key({"kty": "EC", "crv": "P-256", "x": jwk["x"], "y": jwk["y"]}).thumbprint()


async def test_create_first_does_nothing_where_a_key_is_active(
    services: Services, keys: KeyService, tenant: Tenant
) -> None:
    before = (await keys.ring(tenant)).signer().kid
    async with services.database.tenant_session(tenant) as session:
        await keys.create_first(session, tenant.id)
    async with services.database.tenant_session(tenant) as session:
        assert list(await session.scalars(select(SigningKeyRow.kid))) == [before]


async def test_tenants_share_no_key(keys: KeyService, tenant: Tenant, other_tenant: Tenant) -> None:
    kid = (await keys.ring(tenant)).signer().kid
    ring = await keys.ring(other_tenant)
    assert ring.signer().kid != kid
    assert ring.verification_key(kid) is None


async def test_a_private_key_copied_to_another_tenant_does_not_open(
    services: Services, keys: KeyService, tenant: Tenant, other_tenant: Tenant
) -> None:
    async with services.database.tenant_session(tenant) as session:
        row = (await session.execute(select(SigningKeyRow.__table__))).mappings().one()
    async with services.database.tenant_session(other_tenant) as session:
        await session.execute(delete(SigningKeyRow))
        session.add(SigningKeyRow(**row))
    with pytest.raises(UnsealError):
        await keys.ring(other_tenant)


async def test_only_the_active_key_signs_and_retired_keys_are_gone(
    services: Services, keys: KeyService, tenant: Tenant
) -> None:
    kid = (await keys.ring(tenant)).signer().kid
    for status in ("next", "retiring"):
        ring = await _ring_where_the_key_is(status, services, keys, tenant)
        assert [jwk["kid"] for jwk in ring.jwks()["keys"]] == [kid]
        assert ring.algorithms == ()
        with pytest.raises(LookupError, match="no active ES256 key"):
            ring.signer()
    ring = await _ring_where_the_key_is("retired", services, keys, tenant)
    assert ring.jwks() == {"keys": []}
    assert ring.verification_key(kid) is None


async def _ring_where_the_key_is(status: str, services: Services, keys: KeyService, tenant: Tenant) -> KeyRing:
    async with services.database.tenant_session(tenant) as session:
        await session.execute(update(SigningKeyRow).values(status=status))
        mark_changed(session, tenant.id)
    return await keys.ring(tenant)


async def test_a_change_in_another_process_drops_the_ring(services: Services, tenant: Tenant) -> None:
    here = Changes()
    keys = KeyService(services.database, services.sealer, here)
    first = await keys.ring(tenant)
    assert await keys.ring(tenant) is first
    async with services.database.tenant_session(tenant) as session:
        await session.execute(delete(SigningKeyRow))
        await services.keys.create_first(session, tenant.id)
    assert await keys.ring(tenant) is first
    here.received(Change(1, frozenset({tenant.id})).dump())
    assert (await keys.ring(tenant)).signer().kid != first.signer().kid


async def test_a_previous_master_key_still_opens(services: Services, settings: Settings, tenant: Tenant) -> None:
    previous = decode_key(settings.secrets.master_key)
    ring = await KeyService(services.database, Sealer(os.urandom(32), [previous]), Changes()).ring(tenant)
    assert ring.algorithms == ("ES256",)
    with pytest.raises(UnsealError, match="SAAS_SECRETS_PREVIOUS_KEYS"):
        await KeyService(services.database, Sealer(os.urandom(32)), Changes()).ring(tenant)


async def test_the_stored_row_holds_no_private_member(services: Services, tenant: Tenant) -> None:
    async with services.database.tenant_session(tenant) as session:
        row = (await session.scalars(select(SigningKeyRow))).one()
    assert "d" not in json.loads(row.public_jwk)
    assert services.sealer.is_current(row.private_key)
