"""Device codes in PostgreSQL (RFC 8628): begun by a device, decided by a person, redeemed by the device."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from saas.authserver.authorization import Authorization
from saas.authserver.client import Client
from saas.authserver.device import INTERVAL, LIFETIME, new_user_code
from saas.authserver.store import NewFamily, StoredDevice
from saas.identity.models import SessionRow, UserRow
from saas.identity.signed_in import BY_COOKIE, SignedIn
from saas.kit.crypto import digest
from saas.oauth.grants.families import INSERT_FAMILY, family_values
from saas.oauth.grants.models import ConsentRow, DeviceCodeRow
from saas.oauth.grants.people import PERSON, person_of
from saas.oauth.grants.transaction import Transaction
from saas.oauth.models import ClientRow
from tenants.base import new_id
from tenants.direct import Direct
from tenants.statements import Statement

#: User codes that are tried, until one is of no other device.
_TRIES: Final = 5
_devices: Final[Table] = DeviceCodeRow.metadata.tables[DeviceCodeRow.__tablename__]
_clients: Final[Table] = ClientRow.metadata.tables[ClientRow.__tablename__]
_consents: Final[Table] = ConsentRow.metadata.tables[ConsentRow.__tablename__]
_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]
_sessions: Final[Table] = SessionRow.metadata.tables[SessionRow.__tablename__]

#: For `SessionService.look_up`.
PERSON_BY_COOKIE: Final = Statement(BY_COOKIE)
_begin: Final = Statement(
    insert(_devices).on_conflict_do_nothing(index_elements=[_devices.c.user_code]).returning(_devices.c.id)
)
_undecided: Final = (
    _devices.c.user_code == bindparam("code"),
    _devices.c.status == "pending",
    _devices.c.expires_at > bindparam("now"),
)
_pending: Final = Statement(
    select(
        _devices.c.id,
        _devices.c.user_code,
        _devices.c.scopes,
        _clients.c.id,
        _clients.c.client_id,
        _clients.c.name,
        select(_consents.c.scopes)
        .where(_consents.c.user_id == bindparam("person"), _consents.c.client == _devices.c.client)
        .correlate(_devices)
        .scalar_subquery(),
    )
    .join(_clients, _clients.c.id == _devices.c.client)
    .where(*_undecided, _clients.c.revoked_at.is_(None))
    .with_for_update(of=_devices)
)
_decide: Final = Statement(
    update(_devices)
    .where(_devices.c.id == bindparam("device"))
    .values({name: bindparam(f"new_{name}") for name in ("status", "scopes", "user_id", "session_id", "amr")})
    .values(authenticated_at=bindparam("new_authenticated_at"))
)
_locked: Final = Statement(
    select(
        _devices.c.id,
        _devices.c.grant_id,
        _devices.c.scopes,
        _devices.c.resource,
        _devices.c.status,
        _devices.c.interval,
        _devices.c.last_polled_at,
        _devices.c.expires_at,
        _devices.c.user_id,
        _devices.c.authenticated_at,
        _devices.c.amr,
        _sessions.c.ended_at,
        _sessions.c.expires_at,
        _users.c.roles,
        _users.c.disabled_at,
        *PERSON,
    )
    .outerjoin(_sessions, _sessions.c.id == _devices.c.session_id)
    .outerjoin(_users, _users.c.id == _devices.c.user_id)
    .where(_devices.c.digest == bindparam("digest"), _devices.c.client == bindparam("client"))
    .with_for_update(of=_devices)
)
_polled: Final = Statement(
    update(_devices)
    .where(_devices.c.id == bindparam("device"))
    .values(interval=bindparam("seconds"), last_polled_at=bindparam("now"))
)
_redeem: Final = update(_devices).where(_devices.c.id == bindparam("device")).values(status="redeemed")
_redeem_only: Final = Statement(_redeem)
_redeem_into_family: Final = Statement(INSERT_FAMILY.add_cte(_redeem.cte("redeemed")))


@dataclass(frozen=True, slots=True)
class PendingDevice:
    """A device that waits for somebody to decide, as one person sees it."""

    id: UUID
    user_code: str
    scopes: tuple[str, ...]
    #: The key of the client's row, its id and its name.
    client: UUID
    client_id: str
    app_name: str
    #: What the person has allowed the client before.
    remembered: frozenset[str]


async def begin(direct: Direct, code: str, client: Client, scopes: Sequence[str], now: datetime) -> str:
    """The user code that goes with a new device code."""
    values = {
        "digest": digest(code),
        "client": client.id,
        "scopes": list(scopes),
        "resource": None,
        "status": "pending",
        "interval": INTERVAL,
        "amr": [],
        "created_at": now,
        "expires_at": now + timedelta(seconds=LIFETIME),
    }
    absent = dict.fromkeys(("last_polled_at", "user_id", "session_id", "authenticated_at"))
    for _ in range(_TRIES):
        user_code = new_user_code()
        if await direct.row(_begin, id=new_id(), grant_id=new_id(), user_code=user_code, **values, **absent):
            return user_code
    raise RuntimeError("No user code is free")


async def find_pending(direct: Direct, user_code: str, person: SignedIn, now: datetime) -> PendingDevice | None:
    """Locked, so that of two decisions one is made. None also where it has expired, or is decided."""
    row = await direct.row(_pending, code=user_code, person=person.user_id, now=now)
    if row is None:
        return None
    device_id, code, scopes, client, client_id, name, remembered = row
    return PendingDevice(device_id, code, tuple(scopes), client, client_id, name, frozenset(remembered or ()))


async def decide(direct: Direct, device: PendingDevice, person: SignedIn, allowed: Sequence[str]) -> None:
    """What the person allows; nothing: they deny it. `device` is locked."""
    await direct.row(
        _decide,
        device=device.id,
        new_status="approved" if allowed else "denied",
        new_scopes=list(allowed or device.scopes),
        new_user_id=person.user_id,
        new_session_id=person.session_id,
        new_authenticated_at=person.authenticated_at,
        new_amr=list(person.amr),
    )


class Devices:
    """The `DeviceStore` of one transaction of a tenant."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def locked(self, code: str, client: Client, now: datetime) -> StoredDevice | None:
        row = self._transaction.row(_locked, digest=digest(code), client=client.id)
        if row is None:
            return None
        device_id, _, _, _, status, interval, last_polled_at, expires_at, user_id = row[:9]
        ended_at, session_end, roles, disabled_at = row[11:15]
        approved = status == "approved"
        return StoredDevice(
            id=device_id,
            status=status,
            interval=interval,
            last_polled_at=last_polled_at,
            expires_at=expires_at,
            allowed=_authorization(row, client) if approved else None,
            session_active=session_end is not None and ended_at is None and session_end > now,
            holder=self._transaction.holder(user_id, roles, disabled_at) if approved else None,
        )

    def polled(self, device: StoredDevice, interval: int, now: datetime) -> None:
        self._transaction.row(_polled, device=device.id, seconds=interval, now=now)

    def redeem(self, device: StoredDevice, family: NewFamily | None) -> None:
        if family is None:
            self._transaction.row(_redeem_only, device=device.id)
        else:
            self._transaction.row(_redeem_into_family, device=device.id, **family_values(family))


def _authorization(row: Any, client: Client) -> Authorization:
    """Without the session: that is the browser's, of which the device is no part, and which may end before it."""
    _, grant_id, scopes, resource = row[:4]
    user_id, authenticated_at, amr = row[8:11]
    return Authorization(
        grant_id=grant_id,
        client=client,
        user_id=user_id,
        scopes=tuple(scopes),
        session_id=None,
        authenticated_at=authenticated_at,
        amr=tuple(amr),
        resource=resource,
        person=person_of(row[15:]),
    )
