"""Clients as their administrators see them: read in a transaction of the tenant, never cached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target
from saas.kit.clock import utc_now
from saas.oauth.errors import ClientNotFound
from saas.oauth.kinds import Kind, kind_of
from saas.oauth.models import ClientRow, ClientSecretRow
from saas.web.paging import decode_cursor, encode_cursor, parse_instant

_SORT: Final = "created_at"


@dataclass(frozen=True, slots=True)
class ClientInfo:
    """`id` is the key of its row. `secret_ends`: of each secret that is valid now, when it ends; None: it does not."""

    id: UUID
    client_id: str
    name: str
    kind: Kind
    grant_types: tuple[str, ...]
    scopes: tuple[str, ...]
    default_scopes: tuple[str, ...]
    auth_method: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    backchannel_logout_uri: str | None
    jwks: str | None
    resources: tuple[str, ...]
    first_party: bool
    id_token_signed_response_alg: str
    secret_ends: tuple[datetime | None, ...]
    created_at: datetime
    updated_at: datetime
    revoked_at: datetime | None

    @property
    def secrets(self) -> int:
        """How many are valid now."""
        return len(self.secret_ends)

    @property
    def has_secret(self) -> bool:
        return self.auth_method.startswith("client_secret_")


class ClientPage(NamedTuple):
    """`next_cursor` is None on the last page."""

    items: list[ClientInfo]
    next_cursor: str | None


async def page_of_clients(
    session: AsyncSession, *, limit: int, cursor: str | None = None, query: str | None = None
) -> ClientPage:
    """The newest first, without those that are revoked; `query` is a part of the name, in any case, or a client id.

    Raises InvalidRequest at a bad cursor.
    """
    key = (ClientRow.created_at, ClientRow.id)
    statement = select(ClientRow).where(ClientRow.revoked_at.is_(None)).order_by(*(column.desc() for column in key))
    if query:
        like = ClientRow.name.icontains(query, autoescape=True)
        statement = statement.where(or_(like, ClientRow.client_id == query))
    if cursor is not None:
        statement = statement.where(tuple_(*key) < tuple_(*decode_cursor(cursor, _SORT, parse_instant)))
    rows = list(await session.scalars(statement.limit(limit + 1)))  # one more tells whether there is a next page
    more = rows[limit - 1] if len(rows) > limit else None
    place = None if more is None else encode_cursor(_SORT, more.created_at.isoformat(), more.id)
    return ClientPage(await infos_of(session, rows[:limit]), place)


async def read_client(session: AsyncSession, client_id: str) -> ClientInfo:
    """Raises ClientNotFound, also for one that is revoked."""
    row = (
        await session.scalar(select(ClientRow).where(ClientRow.client_id == client_id)) if _can_be(client_id) else None
    )
    if row is None or row.revoked_at is not None:
        raise ClientNotFound("There is no such app: it may have been deleted")
    return (await infos_of(session, [row]))[0]


async def locked(session: AsyncSession, client_id: str) -> ClientRow:
    """Raises ClientNotFound."""
    one = select(ClientRow).where(ClientRow.client_id == client_id).with_for_update()
    row = await session.scalar(one) if _can_be(client_id) else None
    if row is None:
        raise ClientNotFound(f"There is no client {client_id!r}: `saas clients list` shows those that exist")
    return row


async def infos_of(session: AsyncSession, rows: Sequence[ClientRow]) -> list[ClientInfo]:
    ends: dict[UUID, list[datetime | None]] = {row.id: [] for row in rows}
    live = or_(ClientSecretRow.expires_at.is_(None), ClientSecretRow.expires_at > utc_now())
    secrets = (
        select(ClientSecretRow.client, ClientSecretRow.expires_at)
        .where(ClientSecretRow.client.in_(ends), live)
        .order_by(ClientSecretRow.id)
    )
    for client, expires_at in await session.execute(secrets) if ends else ():
        ends[client].append(expires_at)
    return [_info(row, ends[row.id]) for row in rows]


def _can_be(client_id: str) -> bool:
    """PostgreSQL takes no NUL."""
    return client_id.isascii() and client_id.isprintable()


def target_of(row: ClientRow) -> Target:
    return Target("client", row.client_id, row.name)


def _info(row: ClientRow, ends: Iterable[datetime | None]) -> ClientInfo:
    return ClientInfo(
        id=row.id,
        client_id=row.client_id,
        name=row.name,
        kind=kind_of(row.kind, row.grant_types, row.token_endpoint_auth_method, row.redirect_uris),
        grant_types=tuple(row.grant_types),
        scopes=tuple(row.scopes),
        default_scopes=tuple(row.default_scopes),
        auth_method=row.token_endpoint_auth_method,
        redirect_uris=tuple(row.redirect_uris),
        post_logout_redirect_uris=tuple(row.post_logout_redirect_uris),
        backchannel_logout_uri=row.backchannel_logout_uri,
        jwks=row.jwks,
        resources=tuple(row.resources),
        first_party=row.first_party,
        id_token_signed_response_alg=row.id_token_signed_response_alg,
        secret_ends=tuple(ends),
        created_at=row.created_at,
        updated_at=row.updated_at,
        revoked_at=row.revoked_at,
    )
