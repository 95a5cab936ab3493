"""The OAuth clients of a tenant: made, listed, rotated and revoked here; found through a cache."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.access.scopes import ScopeCatalogue
from saas.authserver.client import Client, ClientSecret
from saas.authserver.grants import AUTH_METHODS, GRANT_TYPES
from saas.kit.clock import utc_now
from saas.kit.crypto import digest
from saas.kit.ids import new_public_id, new_secret
from saas.oauth.errors import ClientNotFound, InvalidClientDefinition, TooManySecrets
from saas.oauth.models import ClientRow, ClientSecretRow
from tenants.cache import Cache
from tenants.changes import Changes, mark_changed
from tenants.database import Database
from tenants.registry import Tenant

_MAX_NAME: Final = 100
_MAX_CLIENT_ID: Final = 255
#: Secrets of one client that are valid at once; each is compared at every authentication.
_MAX_SECRETS: Final = 10
MAX_OVERLAP: Final = timedelta(days=90)


class NewClient(NamedTuple):
    """The secret is told once; what is stored is its digest."""

    client_id: str
    secret: str


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """A client as its administrator sees it. `secrets`: how many are valid now."""

    client_id: str
    name: str
    grant_types: tuple[str, ...]
    scopes: tuple[str, ...]
    default_scopes: tuple[str, ...]
    auth_method: str
    secrets: int
    created_at: datetime
    revoked_at: datetime | None


class _Key(NamedTuple):
    tenant_id: UUID
    schema: str
    client_id: str


class _Found(NamedTuple):
    tenant_id: UUID
    client: Client


class ClientService:
    """The clients of every tenant. `session` is one of the tenant whose client it is."""

    def __init__(self, database: Database, catalogue: ScopeCatalogue, changes: Changes) -> None:
        self._database = database
        self._catalogue = catalogue
        self._found: Cache[_Key, _Found] = Cache(self._load, owner=lambda found: found.tenant_id)
        changes.listen(self._found.drop)

    async def find(self, tenant: Tenant, client_id: str) -> Client | None:
        """The client, cached; None where there is none or it was revoked. Takes any string."""
        if len(client_id) > _MAX_CLIENT_ID or not (client_id.isascii() and client_id.isprintable()):
            return None
        found = await self._found.get(_Key(tenant.id, tenant.schema, client_id))
        return None if found is None else found.client

    async def create(
        self,
        session: AsyncSession,
        tenant: Tenant,
        *,
        name: str,
        grant_types: Sequence[str],
        scopes: Sequence[str],
        default_scopes: Sequence[str] | None = None,
        auth_method: str = "client_secret_basic",
    ) -> NewClient:
        """Make a confidential client, which may send its secret by Basic or in the form.

        Where a request names no scope it gets `default_scopes`; None: all of `scopes`. Raises InvalidClientDefinition.
        """
        allowed = _some("scope", scopes, self._catalogue.names)
        row = ClientRow(
            client_id=new_public_id("app"),
            name=_checked_name(name),
            grant_types=_some("grant", grant_types, GRANT_TYPES),
            scopes=allowed,
            default_scopes=allowed if default_scopes is None else _known("default scope", default_scopes, allowed),
            token_endpoint_auth_method=_some("authentication method", [auth_method], AUTH_METHODS)[0],
        )
        session.add(row)
        await session.flush()
        mark_changed(session, tenant.id)
        return NewClient(row.client_id, await _add_secret(session, row.id))

    async def list(self, session: AsyncSession) -> list[ClientInfo]:
        """Every client, the oldest first, revoked ones included."""
        live = func.count(ClientSecretRow.id).filter(_is_live(utc_now()))
        rows = await session.execute(
            select(ClientRow, live)
            .outerjoin(ClientSecretRow, ClientSecretRow.client == ClientRow.id)
            .group_by(ClientRow.id)
            .order_by(ClientRow.created_at, ClientRow.id)
        )
        return [_info(row, secrets) for row, secrets in rows]

    async def rotate_secret(self, session: AsyncSession, tenant: Tenant, client_id: str, overlap: timedelta) -> str:
        """Give the client a new secret; those it had end after `overlap`, or earlier where that was set before.

        Raises ClientNotFound, InvalidClientDefinition and TooManySecrets.
        """
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise InvalidClientDefinition(f"The overlap is between 0 and {MAX_OVERLAP.days} days")
        row = await _locked(session, client_id)
        if row.revoked_at is not None:
            raise ClientNotFound(f"The client {client_id} is revoked: make a new one")
        now = utc_now()
        end = now + overlap
        mine = ClientSecretRow.client == row.id
        longer = or_(ClientSecretRow.expires_at.is_(None), ClientSecretRow.expires_at > end)
        await session.execute(update(ClientSecretRow).where(mine, longer).values(expires_at=end))
        await session.execute(delete(ClientSecretRow).where(mine, ClientSecretRow.expires_at <= now))
        if (await session.scalar(select(func.count()).where(mine)) or 0) >= _MAX_SECRETS:
            raise TooManySecrets(f"{_MAX_SECRETS} secrets are still valid: rotate with an overlap of 0 to end them")
        mark_changed(session, tenant.id)
        return await _add_secret(session, row.id)

    async def revoke(self, session: AsyncSession, tenant: Tenant, client_id: str) -> bool:
        """Refuse the client from now on; False where it was revoked before. Raises ClientNotFound."""
        row = await _locked(session, client_id)
        if row.revoked_at is not None:
            return False
        row.revoked_at = utc_now()
        await session.execute(delete(ClientSecretRow).where(ClientSecretRow.client == row.id))
        mark_changed(session, tenant.id)
        return True

    async def _load(self, key: _Key) -> _Found | None:
        query = (
            select(
                ClientRow.grant_types,
                ClientRow.scopes,
                ClientRow.default_scopes,
                ClientSecretRow.digest,
                ClientSecretRow.expires_at,
            )
            .outerjoin(ClientSecretRow, ClientSecretRow.client == ClientRow.id)
            .where(ClientRow.client_id == key.client_id, ClientRow.revoked_at.is_(None))
        )
        async with self._database.tenant_session(key) as session:
            rows = (await session.execute(query)).all()
        if not rows:
            return None
        grant_types, scopes, default_scopes = rows[0][:3]
        client = Client(
            client_id=key.client_id,
            grant_types=frozenset(grant_types),
            auth_methods=frozenset(AUTH_METHODS),
            scopes=tuple(scope for scope in scopes if scope in self._catalogue),
            default_scopes=tuple(scope for scope in default_scopes if scope in self._catalogue),
            secrets=tuple(_secret(row[3], row[4]) for row in rows if row[3] is not None),
        )
        return _Found(key.tenant_id, client)


def _is_live(now: datetime) -> ColumnElement[bool]:
    return or_(ClientSecretRow.expires_at.is_(None), ClientSecretRow.expires_at > now)


def _secret(hashed: bytes, expires_at: datetime | None) -> ClientSecret:
    return ClientSecret(hashed, None if expires_at is None else expires_at.timestamp())


async def _add_secret(session: AsyncSession, client: UUID) -> str:
    secret = new_secret()
    session.add(ClientSecretRow(client=client, digest=digest(secret)))
    await session.flush()
    return secret


async def _locked(session: AsyncSession, client_id: str) -> ClientRow:
    row = await session.scalar(select(ClientRow).where(ClientRow.client_id == client_id).with_for_update())
    if row is None:
        raise ClientNotFound(f"There is no client {client_id!r}: `saas clients list` shows those that exist")
    return row


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable():
        raise InvalidClientDefinition(f"A name has 1 to {_MAX_NAME} characters, none of them a control character")
    return name


def _some(what: str, given: Iterable[str], known: Sequence[str]) -> list[str]:
    """As `_known`, and at least one."""
    chosen = _known(what, given, known)
    if not chosen:
        raise InvalidClientDefinition(f"Name at least one {what} of: {', '.join(known)}")
    return chosen


def _known(what: str, given: Iterable[str], known: Sequence[str]) -> list[str]:
    """`given` without repetitions; raises InvalidClientDefinition, which lists what is unknown and what is known."""
    chosen = list(dict.fromkeys(given))
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise InvalidClientDefinition(f"Unknown {what}: {', '.join(unknown)}. Known: {', '.join(known)}")
    return chosen


def _info(row: ClientRow, secrets: int) -> ClientInfo:
    return ClientInfo(
        client_id=row.client_id,
        name=row.name,
        grant_types=tuple(row.grant_types),
        scopes=tuple(row.scopes),
        default_scopes=tuple(row.default_scopes),
        auth_method=row.token_endpoint_auth_method,
        secrets=secrets,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
    )
