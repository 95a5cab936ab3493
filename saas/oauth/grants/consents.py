"""What a person has allowed a client before: remembered, so that only what is new is asked for."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import Table, bindparam, select, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.authserver.client import Client
from saas.identity.models import SessionRow
from saas.identity.sessions import SessionService
from saas.identity.signed_in import BY_COOKIE, SignedIn
from saas.oauth.grants.models import ConsentRow, RefreshFamilyRow
from saas.oauth.models import ClientRow
from tenants.direct import Direct
from tenants.statements import Statement

_MOST_LISTED: Final = 500
_consents: Final[Table] = ConsentRow.metadata.tables[ConsentRow.__tablename__]
_families: Final[Table] = RefreshFamilyRow.metadata.tables[RefreshFamilyRow.__tablename__]
_clients: Final[Table] = ClientRow.metadata.tables[ClientRow.__tablename__]
_sessions: Final[Table] = SessionRow.metadata.tables[SessionRow.__tablename__]
_person_and_consent: Final = Statement(
    BY_COOKIE.add_columns(
        select(_consents.c.scopes)
        .where(_consents.c.user_id == _sessions.c.user_id, _consents.c.client == bindparam("client"))
        .correlate(_sessions)
        .scalar_subquery()
    )
)


def _remember() -> Statement:
    values = insert(_consents)
    kept = {name: values.excluded[name] for name in ("scopes", "updated_at")}
    key = [_consents.c.user_id, _consents.c.client]
    return Statement(values.on_conflict_do_update(index_elements=key, set_=kept))


_remembered: Final = _remember()


async def find_person(
    direct: Direct, sessions: SessionService, cookie: str | None, client: Client
) -> tuple[SignedIn | None, frozenset[str]]:
    """Who holds the cookie, and which scopes they have allowed the client. One SELECT."""
    person, more = await sessions.look_up(direct, cookie, _person_and_consent, client=client.id)
    return person, frozenset(more[0] or ()) if more else frozenset()


class Connection(NamedTuple):
    """What a client has from a person: by consent, or by a refresh token."""

    client_id: str
    name: str
    since: datetime
    scopes: Sequence[str]


async def connections_of(session: AsyncSession, user_id: UUID, now: datetime) -> list[Connection]:
    """Of clients that are not revoked; the oldest first, several for one client; at most some hundred."""
    live = (_families.c.revoked_at.is_(None), _families.c.expires_at > now)
    found = union_all(
        *(
            select(_clients.c.client_id, _clients.c.name, table.c.created_at.label("since"), table.c.scopes)
            .join(_clients, _clients.c.id == table.c.client)
            .where(table.c.user_id == user_id, _clients.c.revoked_at.is_(None), *more)
            for table, more in ((_consents, ()), (_families, live))
        )
    )
    return [Connection(*row) for row in await session.execute(found.order_by("since").limit(_MOST_LISTED))]


async def remember(direct: Direct, user_id: UUID, client: UUID, scopes: Iterable[str], now: datetime) -> None:
    """`client` is the key of its row; `scopes` are all that the person has allowed the client by now."""
    times = {"created_at": now, "updated_at": now}
    await direct.row(_remembered, user_id=user_id, client=client, scopes=sorted(scopes), **times)
