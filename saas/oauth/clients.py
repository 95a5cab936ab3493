"""The OAuth clients of a tenant: made, listed, rotated and revoked here; found through a cache."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.access.scopes import ScopeCatalogue
from saas.audit.service import record
from saas.authserver.client import Client, ClientSecret
from saas.authserver.client_keys import read_set
from saas.identity.authority import Authority
from saas.kit.clock import utc_now
from saas.kit.crypto import digest
from saas.kit.ids import new_public_id, new_secret
from saas.oauth.authority import check_powers
from saas.oauth.definition import ClientDefinition
from saas.oauth.errors import ClientNotFound, InvalidClientDefinition, TooManySecrets
from saas.oauth.models import ClientRow, ClientSecretRow
from saas.oauth.registered import ClientInfo, infos_of, locked, target_of
from tenants.cache import Cache
from tenants.caps import admit
from tenants.changes import Changes, mark_changed
from tenants.database import Database
from tenants.direct import Record
from tenants.registry import Tenant
from tenants.statements import Statement

_MAX_CLIENT_ID: Final = 255
_BY_SECRET: Final = ("client_secret_basic", "client_secret_post")
#: Secrets of one client that are valid at once; each is compared at every authentication.
_MAX_SECRETS: Final = 10
MAX_OVERLAP: Final = timedelta(days=90)

#: What a Client is made of, once for each of its secrets.
_live: Final = Statement(
    select(
        ClientRow.id,
        ClientRow.client_id,
        ClientRow.name,
        ClientRow.grant_types,
        ClientRow.scopes,
        ClientRow.default_scopes,
        ClientRow.token_endpoint_auth_method,
        ClientRow.redirect_uris,
        ClientRow.post_logout_redirect_uris,
        ClientRow.first_party,
        ClientRow.id_token_signed_response_alg,
        ClientRow.backchannel_logout_uri,
        ClientRow.jwks,
        ClientRow.resources,
        ClientRow.tokens_since,
        ClientSecretRow.digest,
        ClientSecretRow.expires_at,
    )
    .outerjoin(ClientSecretRow, ClientSecretRow.client == ClientRow.id)
    .where(ClientRow.client_id == bindparam("client_id"), ClientRow.revoked_at.is_(None))
)
#: Which count towards the plan's cap.
LIVE: Final = select(ClientRow.id).where(ClientRow.revoked_at.is_(None))
#: What its event in the audit log says of a new client.
_TOLD: Final = (
    "kind",
    "grant_types",
    "scopes",
    "token_endpoint_auth_method",
    "redirect_uris",
    "first_party",
    "resources",
)


class NewClient(NamedTuple):
    """The secret is told once; what is stored is its digest. Empty for a client that has none."""

    client_id: str
    secret: str


class _Key(NamedTuple):
    tenant_id: UUID
    schema: str
    database: str
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
        found = await self._found.get(_Key(tenant.id, tenant.schema, tenant.database, client_id))
        return None if found is None else found.client

    async def create(
        self,
        session: AsyncSession,
        tenant: Tenant,
        definition: ClientDefinition,
        by: Authority | None = None,
    ) -> NewClient:
        """`by`: who makes it; see `authority`.

        Raises InvalidClientDefinition, BeyondAuthority, and CapReached: clients that were revoked do not count.
        """
        checked = definition.checked(self._catalogue)
        check_powers(by, checked)
        await admit(session, tenant, "clients", LIVE)
        row = ClientRow(
            client_id=new_public_id("app"),
            name=checked.name,
            grant_types=list(checked.grant_types),
            scopes=list(checked.scopes),
            default_scopes=list(checked.default_scopes or ()),
            token_endpoint_auth_method=checked.auth_method,
            redirect_uris=list(checked.redirect_uris),
            post_logout_redirect_uris=list(checked.post_logout_redirect_uris),
            first_party=checked.first_party,
            id_token_signed_response_alg=checked.id_token_signed_response_alg,
            backchannel_logout_uri=checked.backchannel_logout_uri,
            jwks=checked.jwks,
            resources=list(checked.resources),
            kind=checked.kind,
        )
        session.add(row)
        await session.flush()
        mark_changed(session, tenant.id)
        described = {name: getattr(row, name) for name in _TOLD}
        record(session, "client.created", target=target_of(row), details=described)
        return NewClient(row.client_id, await _add_secret(session, row.id) if checked.auth_method in _BY_SECRET else "")

    async def list(self, session: AsyncSession) -> list[ClientInfo]:
        """Every client, the oldest first, revoked ones included."""
        rows = await session.scalars(select(ClientRow).order_by(ClientRow.created_at, ClientRow.id))
        return await infos_of(session, list(rows))

    async def count(self, session: AsyncSession) -> int:
        """Without those that are revoked."""
        return await session.scalar(select(func.count()).select_from(LIVE.subquery())) or 0

    async def rotate_secret(
        self,
        session: AsyncSession,
        tenant: Tenant,
        client_id: str,
        overlap: timedelta,
        by: Authority | None = None,
    ) -> str:
        """Give the client a new secret; those it had end after `overlap`, or earlier where that was set before.

        Raises ClientNotFound, InvalidClientDefinition, BeyondAuthority and TooManySecrets.
        """
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise InvalidClientDefinition(f"The overlap is between 0 and {MAX_OVERLAP.days} days")
        row = await locked(session, client_id)
        if row.revoked_at is not None:
            raise ClientNotFound(f"The client {client_id} is revoked: make a new one")
        if row.token_endpoint_auth_method not in _BY_SECRET:
            raise InvalidClientDefinition(f"The client {client_id} has no secret")
        check_powers(by, row)
        now = utc_now()
        end = now + overlap
        mine = ClientSecretRow.client == row.id
        longer = or_(ClientSecretRow.expires_at.is_(None), ClientSecretRow.expires_at > end)
        await session.execute(update(ClientSecretRow).where(mine, longer).values(expires_at=end))
        await session.execute(delete(ClientSecretRow).where(mine, ClientSecretRow.expires_at <= now))
        if (await session.scalar(select(func.count()).where(mine)) or 0) >= _MAX_SECRETS:
            raise TooManySecrets(f"{_MAX_SECRETS} secrets are still valid: rotate with an overlap of 0 to end them")
        mark_changed(session, tenant.id)
        record(session, "client.secret_rotated", target=target_of(row), details={"old_secrets_end": end})
        return await _add_secret(session, row.id)

    async def revoke(self, session: AsyncSession, tenant: Tenant, client_id: str) -> bool:
        """Refuse the client from now on; False where it was revoked before. Raises ClientNotFound."""
        row = await locked(session, client_id)
        if row.revoked_at is not None:
            return False
        row.revoked_at = utc_now()
        await session.execute(delete(ClientSecretRow).where(ClientSecretRow.client == row.id))
        mark_changed(session, tenant.id)
        record(session, "client.revoked", target=target_of(row))
        return True

    async def _load(self, key: _Key) -> _Found | None:
        async with self._database.direct(key, read_only=True) as direct:
            rows = await direct.rows(_live, client_id=key.client_id)
        if not rows:
            return None
        secrets = tuple(_secret(row["digest"], row["expires_at"]) for row in rows if row["digest"] is not None)
        return _Found(key.tenant_id, self._client(rows[0], secrets))

    def _client(self, row: Record, secrets: tuple[ClientSecret, ...]) -> Client:
        return Client(
            id=row["id"],
            client_id=row["client_id"],
            name=row["name"],
            grant_types=frozenset(row["grant_types"]),
            auth_methods=_methods(row["token_endpoint_auth_method"]),
            scopes=tuple(scope for scope in row["scopes"] if scope in self._catalogue),
            default_scopes=tuple(scope for scope in row["default_scopes"] if scope in self._catalogue),
            secrets=secrets,
            redirect_uris=tuple(row["redirect_uris"]),
            post_logout_redirect_uris=tuple(row["post_logout_redirect_uris"]),
            first_party=row["first_party"],
            id_token_signed_response_alg=row["id_token_signed_response_alg"],
            backchannel_logout_uri=row["backchannel_logout_uri"],
            keys=read_set(row["jwks"]),
            resources=tuple(row["resources"]),
            tokens_since=None if row["tokens_since"] is None else row["tokens_since"].timestamp(),
        )


def _methods(registered: str) -> frozenset[str]:
    """Who has a secret may send it either way; who has none, or a key, has just the one."""
    return frozenset(_BY_SECRET if registered in _BY_SECRET else (registered,))


def _secret(hashed: bytes, expires_at: datetime | None) -> ClientSecret:
    return ClientSecret(hashed, None if expires_at is None else expires_at.timestamp())


async def _add_secret(session: AsyncSession, client: UUID) -> str:
    secret = new_secret()
    session.add(ClientSecretRow(client=client, digest=digest(secret)))
    await session.flush()
    return secret
