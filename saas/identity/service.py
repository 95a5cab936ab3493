"""The people of a tenant. Sessions are the tenant's (`Database.tenant_session`)."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.identity.errors import EmailTaken, InvalidEmail, InvalidPersonName, UserNotFound
from saas.identity.models import SessionRow, UserRow
from saas.identity.roles import OWNER
from tenants.base import new_id
from tenants.names import is_host

#: RFC 5321 section 4.5.3.1: octets of a local part, and of an address that fits into a path.
_MAX_LOCAL: Final = 64
MAX_EMAIL: Final = 254
MAX_NAME: Final = 200
#: RFC 5322 dot-atom; letters beyond ASCII after RFC 6531. Quoted local parts are legal and nobody has one.
_LOCAL: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")


def check_email(email: str) -> str:
    """The address without surrounding blanks. Raises InvalidEmail where mail could not be sent to it."""
    address = unicodedata.normalize("NFC", email.strip()[: 2 * MAX_EMAIL])
    local, _, domain = address.rpartition("@")
    if (
        not _LOCAL.fullmatch(local)
        or len(local.encode()) > _MAX_LOCAL
        or len(address.encode()) > MAX_EMAIL
        or "." not in domain
        or not is_host(domain.lower())
    ):
        raise InvalidEmail(f"{address[:MAX_EMAIL]!r} is not an e-mail address: write it like ann@example.com")
    return address


def email_key(email: str) -> str:
    """What two spellings of one address have in common."""
    return email.casefold()


def check_name(name: str) -> str:
    """The name without surrounding blanks. Raises InvalidPersonName."""
    stripped = name.strip()
    if not 0 < len(stripped) <= MAX_NAME or not stripped.isprintable():
        raise InvalidPersonName(f"A name is one line of at most {MAX_NAME} characters.")
    return stripped


async def create_owner(session: AsyncSession, email: str, password_hash: str) -> None:
    """The tenant's first user, with every right. Raises InvalidEmail and EmailTaken."""
    await add_user(session, email, roles=[OWNER], password_hash=password_hash)


async def remove_everybody(session: AsyncSession) -> None:
    """For a tenant that nobody has been let into: an owner may be left of a call that was stopped."""
    await session.execute(delete(UserRow))


async def add_user(
    session: AsyncSession, email: str, *, name: str = "", roles: Sequence[str], password_hash: str | None
) -> UUID:
    """Without a name, people are called by the first part of their address. `roles` are checked by the caller.

    Raises InvalidEmail, InvalidPersonName and EmailTaken.
    """
    address = check_email(email)
    user = {
        "email": address,
        "email_key": email_key(address),
        "name": check_name(name or address.partition("@")[0]),
        "roles": list(roles),
        "password_hash": password_hash,
    }
    statement = insert(UserRow).values(id=new_id(), **user).on_conflict_do_nothing(index_elements=["email_key"])
    created: UUID | None = await session.scalar(statement.returning(UserRow.id))
    if created is None:
        raise EmailTaken(f"{address} has an account already: choose another address, or reset its password")
    return created


async def set_password(session: AsyncSession, email: str, password_hash: str) -> None:
    """For an account that nobody uses yet: it ends no session (see `UserService`). Raises UserNotFound."""
    changed = await session.scalar(
        update(UserRow)
        .where(UserRow.email_key == email_key(email.strip()))
        .values(password_hash=password_hash)
        .returning(UserRow.id)
    )
    if changed is None:
        raise UserNotFound(f"Nobody has the address {email.strip()!r} here: check its spelling")
    record(session, "user.password_reset", target=Target("user", changed, email.strip()))


async def last_seen(session: AsyncSession) -> datetime | None:
    """When anybody used a browser session, as far as sessions are kept."""
    seen: datetime | None = await session.scalar(select(func.max(SessionRow.last_seen_at)))
    return seen
