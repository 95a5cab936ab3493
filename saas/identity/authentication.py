"""Whether a password is right: in the same time, and with the same answer, whether there is such an account or not."""

from typing import Final, NamedTuple

from saas.audit.service import Target, record
from saas.identity.passwords import verify_password
from saas.identity.users import Credentials, UserService
from tenants.database import Database
from tenants.registry import Tenant

#: No password may be longer; it bounds what is hashed.
MAX_TYPED: Final = 1024


class Proven(NamedTuple):
    """It may be out of date a moment later: the transaction that makes something of it asks `UserService.confirm`."""

    credentials: Credentials
    #: The same password with today's parameters, where it is stored with others.
    rehashed: str | None


async def authenticate(
    database: Database, users: UserService, tenant: Tenant, email: str, password: str
) -> Proven | None:
    """`email` is in the form of `email_key`. No connection is held while the hash is computed. Raises TooBusy."""
    async with database.tenant_session(tenant) as session:
        found = await users.credentials(session, email)
    verdict = await verify_password(password, found.password_hash if found else None)
    return Proven(found, verdict.rehashed) if found and verdict else None


async def note_refusal(database: Database, users: UserService, tenant: Tenant, email: str) -> None:
    """Tell the owner's audit log of a sign-in that failed, if there is such an account: how often is the throttle's.

    To be run when the answer is on its way, for it takes longer where there is one.
    """
    async with database.tenant_session(tenant) as session:
        found = await users.credentials(session, email)
        if found is not None:
            target = Target("user", found.user_id, found.email)
            record(session, "session.refused", target=target, details={"step": "password"})
