"""Who has let which client in: across all people of a tenant, as its administrators see it."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Table, bindparam, func, null, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.models import UserRow
from saas.oauth.grants.models import ConsentRow, RefreshFamilyRow
from saas.oauth.models import ClientRow

_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
_clients: Final[Table] = ClientRow.metadata.tables[ClientRow.__tablename__]
_consents: Final[Table] = ConsentRow.metadata.tables[ConsentRow.__tablename__]
_families: Final[Table] = RefreshFamilyRow.metadata.tables[RefreshFamilyRow.__tablename__]
_SHARED: Final = ("user_id", "client", "scopes", "created_at")


class Connected(NamedTuple):
    """What a client has from a person: by consent, by refresh tokens, or both; `scopes` all together."""

    user_id: UUID
    email: str
    user_name: str
    client: UUID
    client_id: str
    client_name: str
    scopes: Sequence[str]
    since: datetime
    last_used_at: datetime | None


#: What each consent and each refresh token that lives is worth.
_parts: Final = union_all(
    select(*(_consents.c[name] for name in _SHARED), null().cast(_families.c.last_used_at.type).label("used_at")),
    select(*(_families.c[name] for name in _SHARED), _families.c.last_used_at).where(
        _families.c.revoked_at.is_(None), _families.c.expires_at > bindparam("now")
    ),
).subquery()
_since: Final = func.min(_parts.c.created_at)
_place: Final = (_since, _users.c.id, _clients.c.id)
#: One row for each person and client, the newest first. Arrays of unlike length do not aggregate: scopes come as text.
_connections: Final = (
    select(
        *(_users.c.id, _users.c.email, _users.c.name, _clients.c.id, _clients.c.client_id, _clients.c.name),
        func.string_agg(func.array_to_string(_parts.c.scopes, " "), " "),
        _since,
        func.max(_parts.c.used_at),
    )
    .join(_users, _users.c.id == _parts.c.user_id)
    .join(_clients, _clients.c.id == _parts.c.client)
    .where(_clients.c.revoked_at.is_(None))
    .group_by(_users.c.id, _clients.c.id)
    .order_by(*(column.desc() for column in _place))
)
_held: Final = select(
    *(_parts.c.client, func.count(_parts.c.user_id.distinct()), func.count(_parts.c.used_at)),
    func.max(_parts.c.used_at),
).group_by(_parts.c.client)


async def connections(
    session: AsyncSession,
    now: datetime,
    *,
    limit: int,
    after: tuple[datetime, UUID, UUID] | None = None,
    client_id: str | None = None,
    person: str | None = None,
    user_id: UUID | None = None,
) -> list[Connected]:
    """All people's, the newest first. `after`: `since`, user and client of the last one before.

    `person` is a part of a name or an address, in any case.
    """
    query = _connections
    if client_id is not None:
        query = query.where(_clients.c.client_id == client_id)
    if user_id is not None:
        query = query.where(_users.c.id == user_id)
    if person:
        query = query.where(
            _users.c.email.icontains(person, autoescape=True) | _users.c.name.icontains(person, autoescape=True)
        )
    if after is not None:
        query = query.having(tuple_(*_place) < tuple_(*after))
    rows = await session.execute(query.limit(limit), {"now": now})
    return [Connected(*row[:6], list(dict.fromkeys(row[6].split())), *row[7:]) for row in rows]


class Held(NamedTuple):
    """What a client has from all people together."""

    people: int = 0
    refresh_tokens: int = 0
    last_used_at: datetime | None = None


async def held_by(session: AsyncSession, clients: Collection[UUID], now: datetime) -> dict[UUID, Held]:
    """By the key of the client's row; without those that have nothing."""
    if not clients:
        return {}
    rows = await session.execute(_held.where(_parts.c.client.in_(clients)), {"now": now})
    return {client: Held(*counts) for client, *counts in rows}
