"""The people of a tenant. Sessions are the tenant's (`Database.tenant_session`)."""

import re
from typing import Final

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.errors import EmailTaken, InvalidEmail, UserNotFound
from saas.identity.models import UserRow
from tenants.base import new_id
from tenants.names import is_host

OWNER: Final = "owner"

#: RFC 5321 section 4.5.3.1: octets of a local part, and of an address that fits into a path.
_MAX_LOCAL: Final = 64
_MAX_EMAIL: Final = 254
#: RFC 5322 dot-atom; letters beyond ASCII after RFC 6531. Quoted local parts are legal and nobody has one.
_LOCAL: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")


def check_email(email: str) -> str:
    """The address without surrounding blanks. Raises InvalidEmail where mail could not be sent to it."""
    address = email.strip()
    local, _, domain = address.rpartition("@")
    if (
        not _LOCAL.fullmatch(local)
        or len(local.encode()) > _MAX_LOCAL
        or len(address.encode()) > _MAX_EMAIL
        or "." not in domain
        or not is_host(domain.lower())
    ):
        raise InvalidEmail(f"{address[:_MAX_EMAIL]!r} is not an e-mail address: write it like ann@example.com")
    return address


def email_key(email: str) -> str:
    """What two spellings of one address have in common."""
    return email.casefold()


async def create_owner(session: AsyncSession, email: str, password_hash: str) -> None:
    """The tenant's first user, with every right. Raises InvalidEmail and EmailTaken."""
    address = check_email(email)
    user = {"email": address, "email_key": email_key(address), "name": address.partition("@")[0]}
    created = await session.scalar(
        insert(UserRow)
        .values(id=new_id(), password_hash=password_hash, roles=[OWNER], **user)
        .on_conflict_do_nothing(index_elements=["email_key"])
        .returning(UserRow.id)
    )
    if created is None:
        raise EmailTaken(f"{address} has an account already: choose another address, or reset its password")


async def set_password(session: AsyncSession, email: str, password_hash: str) -> None:
    """Raises UserNotFound."""
    changed = await session.scalar(
        update(UserRow)
        .where(UserRow.email_key == email_key(email.strip()))
        .values(password_hash=password_hash)
        .returning(UserRow.id)
    )
    if changed is None:
        raise UserNotFound(f"Nobody has the address {email.strip()!r} here: check its spelling")
