"""Create a tenant's signing keys, and hold them ready for signing and for publishing."""

import json
from typing import NamedTuple, Protocol
from uuid import UUID

from joserfc.jwk import ECKey, import_key
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from saas.keys.models import SigningKeyRow
from saas.keys.ring import KeyRing, RingKey
from saas.kit.clock import utc_now
from saas.kit.crypto import Sealer
from tenants.cache import Cache
from tenants.changes import Changes, mark_changed
from tenants.database import Database

_PUBLISHED = ("active", "next", "retiring")


class HasKeys(Protocol):
    """A tenant, as far as its keys go."""

    @property
    def id(self) -> UUID: ...

    @property
    def schema(self) -> str: ...


class _Place(NamedTuple):
    tenant_id: UUID
    schema: str


class KeyService:
    """The key rings of all tenants; in the steady state they come from memory."""

    def __init__(self, database: Database, sealer: Sealer, changes: Changes) -> None:
        self._database = database
        self._sealer = sealer
        self._rings: Cache[_Place, KeyRing] = Cache(self._load, owner=lambda ring: ring.tenant_id)
        changes.listen(self._rings.drop)

    async def create_first(self, session: AsyncSession, tenant_id: UUID) -> None:
        """Give the tenant of `session` an active ES256 key, unless it has one. It becomes visible at commit."""
        active = select(SigningKeyRow.kid).where(SigningKeyRow.status == "active", SigningKeyRow.algorithm == "ES256")
        if await session.scalar(active.limit(1)) is not None:
            return
        key = ECKey.generate_key("P-256")
        kid = key.thumbprint()
        session.add(
            SigningKeyRow(
                kid=kid,
                algorithm="ES256",
                status="active",
                public_jwk=json.dumps(key.as_dict(private=False, kid=kid, use="sig", alg="ES256")),
                private_key=self._sealer.seal(key.as_der(private=True), _context(tenant_id, kid)),
                activated_at=utc_now(),
            )
        )
        await session.flush()
        mark_changed(session, tenant_id)

    async def ring(self, tenant: HasKeys) -> KeyRing:
        """The tenant's keys. Raises UnsealError where the master key that sealed them is not set."""
        ring = await self._rings.get(_Place(tenant.id, tenant.schema))
        if ring is None:
            raise LookupError(f"No keys for tenant {tenant.id}")
        return ring

    async def _load(self, place: _Place) -> KeyRing:
        async with self._database.tenant_session(place) as session:
            rows = await session.execute(
                select(
                    SigningKeyRow.kid,
                    SigningKeyRow.algorithm,
                    SigningKeyRow.status,
                    SigningKeyRow.public_jwk,
                    SigningKeyRow.private_key,
                )
                .where(SigningKeyRow.status.in_(_PUBLISHED))
                .order_by(SigningKeyRow.activated_at.desc(), SigningKeyRow.id)
            )
            return KeyRing(place.tenant_id, [self._open(place.tenant_id, row) for row in rows])

    def _open(self, tenant_id: UUID, row: Row[str, str, str, str, bytes]) -> RingKey:
        kid, algorithm, status, public_jwk, sealed = row
        jwk = json.loads(public_jwk)
        private = None
        if status == "active":
            der = self._sealer.open(sealed, _context(tenant_id, kid))
            private = import_key(der, jwk["kty"], {"kid": kid, "use": "sig", "alg": algorithm})
        return RingKey(kid, algorithm, jwk, import_key(jwk), private)


def _context(tenant_id: UUID, kid: str) -> bytes:
    """Where a sealed private key belongs: it opens for no other tenant and no other kid."""
    return b"signing key\0" + tenant_id.bytes + kid.encode()
