"""Create a tenant's signing keys, and hold them ready for signing and for publishing."""

import asyncio
import json
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from joserfc.jwk import ECKey, RSAKey, import_key
from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.keys.material import generate, open_private, row_values
from saas.keys.models import SigningKeyRow
from saas.keys.ring import KeyRing, RingKey
from saas.kit.clock import Clock, utc_now
from saas.kit.crypto import Sealer
from saas.kit.signing import ALGORITHMS, Signer
from tenants.cache import Cache
from tenants.changes import Changes, mark_changed
from tenants.database import Database, HasSchema
from tenants.direct import Record
from tenants.statements import Statement

_keys: Final[Table] = SigningKeyRow.metadata.tables[SigningKeyRow.__tablename__]
_published: Final = Statement(
    select(_keys.c.status, _keys.c.public_jwk, _keys.c.private_key)
    .where(_keys.c.status != "retired")
    .order_by(_keys.c.activated_at.desc(), _keys.c.id)
)


class HasKeys(HasSchema, Protocol):
    """A tenant, as far as its keys go."""

    @property
    def id(self) -> UUID: ...


class _Place(NamedTuple):
    tenant_id: UUID
    schema: str
    database: str


class KeyService:
    """The key rings of all tenants; in the steady state they come from memory."""

    def __init__(self, database: Database, sealer: Sealer, changes: Changes, clock: Clock = utc_now) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._rings: Cache[_Place, KeyRing] = Cache(self._load, owner=lambda ring: ring.tenant_id)
        changes.listen(self._rings.drop)

    async def create_first(self, session: AsyncSession, tenant_id: UUID) -> None:
        """Give the tenant of `session` an active ES256 key, unless it has one. It becomes visible at commit."""
        await self._create_active(session, tenant_id, generate(ALGORITHMS[0]), ALGORITHMS[0])

    async def ring(self, tenant: HasKeys) -> KeyRing:
        """The tenant's keys. Raises UnsealError where the master key that sealed them is not set."""
        ring = await self._rings.get(_Place(tenant.id, tenant.schema, tenant.database))
        if ring is None:
            raise LookupError(f"No keys for tenant {tenant.id}")
        return ring

    async def ring_with(self, tenant: HasKeys, algorithm: str) -> KeyRing:
        """The tenant's keys, with one that signs by `algorithm`: made now where nobody asked for it before.

        It signs at once. Who verifies has to fetch the keys anyway, for there was none of this algorithm.
        """
        ring = await self.ring(tenant)
        if algorithm in ring.algorithms or algorithm not in ALGORITHMS:
            return ring
        key = await asyncio.to_thread(generate, algorithm)
        async with self._database.tenant_session(tenant) as session:
            # Whoever else does this at the same moment waits here, and then finds what we have made.
            await session.execute(select(_keys.c.id).where(_keys.c.status == "active").with_for_update())
            kid = await self._create_active(session, tenant.id, key, algorithm)
            if kid is not None:
                record(session, "key.created", target=Target("key", kid), details={"algorithm": algorithm})
        return await self.ring(tenant)

    async def _create_active(
        self, session: AsyncSession, tenant_id: UUID, key: ECKey | RSAKey, algorithm: str
    ) -> str | None:
        """The new key's id; None where there is an active key."""
        active = select(_keys.c.kid).where(_keys.c.status == "active", _keys.c.algorithm == algorithm)
        if await session.scalar(active.limit(1)) is not None:
            return None
        values = row_values(
            key,
            algorithm=algorithm,
            status="active",
            sealer=self._sealer,
            tenant_id=tenant_id,
            now=self._clock(),
        )
        await session.execute(insert(_keys).values(values))
        mark_changed(session, tenant_id)
        kid: str = values["kid"]
        return kid

    async def _load(self, place: _Place) -> KeyRing:
        async with self._database.direct(place, read_only=True) as direct:
            rows = await direct.rows(_published)
        return KeyRing(place.tenant_id, [self._open(place.tenant_id, row) for row in rows])

    def _open(self, tenant_id: UUID, row: Record) -> RingKey:
        status, public_jwk, sealed = row
        jwk = json.loads(public_jwk)
        signer = None
        if status == "active":
            signer = Signer(jwk["kid"], jwk["alg"], open_private(sealed, jwk, self._sealer, tenant_id))
        return RingKey(jwk["kid"], jwk, import_key(jwk), signer)
