"""What happens to a tenant's people: made, invited, renamed, disabled, given roles and passwords.

Transactions are the tenant's. A change of a person's rights locks their row before it touches their sessions, so that a
sign-in that runs at the same moment comes wholly before it or wholly after.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, any_, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.identity.errors import EmailTaken, LastOwner, UserNotFound
from saas.identity.hooks import Hooks, tell_user
from saas.identity.links import LinkService
from saas.identity.models import UserRow
from saas.identity.policy import PolicyService
from saas.identity.roles import MEMBER, OWNER, check_roles
from saas.identity.service import add_user, check_email, check_name, email_key
from saas.identity.sessions import SessionService
from saas.kit.clock import utc_now
from tenants.caps import admit
from tenants.registry import Tenant

_users: Final[Table] = UserRow.metadata.tables[UserRow.__tablename__]


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    email: str
    name: str
    roles: tuple[str, ...]
    #: Whether an invitation is still to be accepted: there is no password yet.
    invited: bool
    disabled_at: datetime | None
    created_at: datetime

    @property
    def status(self) -> str:
        return "disabled" if self.disabled_at else "invited" if self.invited else "active"


class Credentials(NamedTuple):
    """`password_hash` is None while an invitation is open."""

    user_id: UUID
    email: str
    password_hash: str | None


class UserService:
    def __init__(self, sessions: SessionService, links: LinkService, hooks: Hooks, policies: PolicyService) -> None:
        self._sessions = sessions
        self._links = links
        self._hooks = hooks
        self._policies = policies

    async def find(self, session: AsyncSession, email: str) -> User:
        """Raises UserNotFound."""
        return await _one(session, _select().where(_is(email)), email)

    async def list(self, session: AsyncSession) -> list[User]:
        """Everybody, by address."""
        return [_user(row) for row in await session.execute(_select().order_by(_users.c.email_key))]

    async def create(
        self,
        session: AsyncSession,
        tenant: Tenant,
        *,
        email: str,
        name: str = "",
        roles: Iterable[str] = (MEMBER,),
        password_hash: str | None = None,
    ) -> User:
        """Without a hash nobody can sign in before an invitation or a reset.

        Raises what `add_user` does, EmailDomainNotAllowed, UnknownRole, and CapReached, after which the transaction
        must not commit.
        """
        user = await self._add(session, tenant, email, name=name, roles=roles, password_hash=password_hash)
        record(session, "user.created", target=_target(user), details={"roles": user.roles})
        return user

    async def invite(
        self, session: AsyncSession, tenant: Tenant, *, email: str, name: str = "", roles: Iterable[str] = (MEMBER,)
    ) -> tuple[User, str]:
        """A user without a password, and the token of the link with which they choose one.

        An invitation that is open is made anew, with these roles; the link that was sent before does not work any more.
        Raises what `create` does.
        """
        roles = list(roles)
        try:
            user = await self._add(session, tenant, email, name=name, roles=roles)
        except EmailTaken:
            user = await _one(session, _select().where(_is(email)).with_for_update(), email)
            if user.status != "invited":
                raise
            checked = await check_roles(session, roles)
            await _change(session, _users.c.id == user.id, roles=checked)
            user = await self.find(session, email)
        record(session, "user.invited", target=_target(user), details={"roles": user.roles})
        return user, await self._links.create(session, user.id, "invitation")

    async def credentials(self, session: AsyncSession, email: str) -> Credentials | None:
        """Of an account that is not disabled. `email` is in the form of `email_key`."""
        query = select(_users.c.id, _users.c.email, _users.c.password_hash)
        row = (await session.execute(query.where(_users.c.email_key == email, _enabled))).one_or_none()
        return None if row is None else Credentials(*row)

    async def confirm(self, session: AsyncSession, proven: Credentials, rehashed: str | None = None) -> bool:
        """Whether what was proven outside of this transaction still holds: it does until the transaction ends.

        Stores the new hash of the same password, where there is one.
        """
        still = (_users.c.id == proven.user_id, _users.c.password_hash == proven.password_hash, _enabled)
        if rehashed is not None:
            return await _change(session, *still, password_hash=rehashed)
        locked = select(_users.c.id).where(*still).with_for_update(read=True)
        return (await session.execute(locked)).one_or_none() is not None

    async def lock(self, session: AsyncSession, user_id: UUID) -> tuple[User, str | None] | None:
        """Somebody who is not disabled, and the hash of their password: both stay so until the transaction ends."""
        query = _locked().add_columns(_users.c.password_hash).where(_users.c.id == user_id, _enabled)
        row = (await session.execute(query)).one_or_none()
        return None if row is None else (_user(row[:-1]), row[-1])

    async def rename(self, session: AsyncSession, user_id: UUID, name: str) -> None:
        """Raises InvalidPersonName."""
        checked = check_name(name)
        if await _change(session, _users.c.id == user_id, _users.c.name != checked, name=checked):
            record(session, "user.renamed", target=Target("user", user_id), details={"name": checked})

    async def change_password(
        self, session: AsyncSession, tenant: Tenant, proven: Credentials, password_hash: str, *, keep: UUID
    ) -> bool:
        """By a person who has proven the present one; all sessions but `keep` end. False where it has changed since."""
        still = (_users.c.id == proven.user_id, _users.c.password_hash == proven.password_hash, _enabled)
        if not await _change(session, *still, password_hash=password_hash):
            return False
        await self._links.withdraw(session, proven.user_id)
        ended = await self._sessions.end_all(session, tenant, proven.user_id, keep=keep, told=False)
        target = Target("user", proven.user_id, proven.email)
        record(session, "user.password_changed", target=target, details={"sessions_ended": ended})
        return True

    async def reset_password(self, session: AsyncSession, tenant: Tenant, user_id: UUID, password_hash: str) -> bool:
        """Whatever it was; every session ends, and links that were sent do not work. False for a disabled user."""
        if not await _change(session, _users.c.id == user_id, _enabled, password_hash=password_hash):
            return False
        await self._links.withdraw(session, user_id)
        ended = await self._sessions.end_all(session, tenant, user_id, told=False)
        await tell_user(self._hooks.password_reset, session, tenant, user_id)
        record(session, "user.password_reset", target=Target("user", user_id), details={"sessions_ended": ended})
        return True

    async def accept_invitation(self, session: AsyncSession, user_id: UUID, name: str, password_hash: str) -> bool:
        """False where the user has a password already, or is disabled. Raises InvalidPersonName."""
        open_ = (_users.c.id == user_id, _users.c.password_hash.is_(None), _enabled)
        accepted = await _change(session, *open_, name=check_name(name), password_hash=password_hash)
        if accepted:
            record(session, "user.invitation_accepted", target=Target("user", user_id))
        return accepted

    async def disable(self, session: AsyncSession, tenant: Tenant, email: str) -> User:
        """End all that the user has, now, and let them in no more. Raises UserNotFound and LastOwner."""
        owners = await _locked_owners(session)
        user = await _one(session, _locked().where(_is(email)), email)
        if user.disabled_at is None:
            _check_not_last(user, owners)
            await _change(session, _users.c.id == user.id, disabled_at=utc_now())
            await self._links.withdraw(session, user.id)
            ended = await self._sessions.end_all(session, tenant, user.id, told=False)
            await tell_user(self._hooks.user_disabled, session, tenant, user.id)
            record(session, "user.disabled", target=_target(user), details={"sessions_ended": ended})
        return await self.find(session, email)

    async def enable(self, session: AsyncSession, tenant: Tenant, email: str) -> User:
        """Let the user in again; what has ended stays so. Raises UserNotFound, and CapReached."""
        user = await _one(session, _locked().where(_is(email)), email)
        if user.disabled_at is not None:
            await admit(session, tenant, "users", _seats)
            await _change(session, _users.c.id == user.id, disabled_at=None)
            record(session, "user.enabled", target=_target(user))
        return await self.find(session, email)

    async def set_roles(self, session: AsyncSession, tenant: Tenant, email: str, roles: Iterable[str]) -> User:
        """Exactly these. Raises UserNotFound, UnknownRole and LastOwner."""
        checked = await check_roles(session, roles)
        owners = await _locked_owners(session)
        user = await _one(session, _locked().where(_is(email)), email)
        if OWNER not in checked:
            _check_not_last(user, owners)
        if set(checked) != set(user.roles):
            await _change(session, _users.c.id == user.id, roles=checked)
            await tell_user(self._hooks.user_roles_changed, session, tenant, user.id)
            record(session, "user.roles_changed", target=_target(user), details={"from": user.roles, "to": checked})
        return await self.find(session, email)

    async def _add(
        self,
        session: AsyncSession,
        tenant: Tenant,
        email: str,
        *,
        name: str,
        roles: Iterable[str],
        password_hash: str | None = None,
    ) -> User:
        (await self._policies.read(session)).check_domain(email)
        checked = await check_roles(session, roles)
        await add_user(session, email, name=name, roles=checked, password_hash=password_hash)
        # Not before: an address that has an account already is not one more.
        await admit(session, tenant, "users", _seats, added=1)
        return await self.find(session, email)


_enabled: Final = _users.c.disabled_at.is_(None)
#: Who counts towards the plan's cap: everybody who is let in, or invited.
_seats: Final = select(_users.c.id).where(_enabled)


def _is(email: str) -> ColumnElement[bool]:
    return _users.c.email_key == email_key(email.strip())


def _target(user: User) -> Target:
    return Target("user", user.id, user.email)


def _select() -> Select[Any]:
    return select(
        _users.c.id,
        _users.c.email,
        _users.c.name,
        _users.c.roles,
        _users.c.password_hash.is_(None),
        _users.c.disabled_at,
        _users.c.created_at,
    )


def _locked() -> Select[Any]:
    """Without keeping others from inserting rows that refer to the user."""
    return _select().with_for_update(key_share=True)


async def _one(session: AsyncSession, query: Select[Any], email: str) -> User:
    check_email(email)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise UserNotFound(f"Nobody has the address {email.strip()!r} here: check its spelling with `saas users list`")
    return _user(row)


def _user(row: Any) -> User:
    user_id, email, name, roles, invited, disabled_at, created_at = row
    return User(user_id, email, name, tuple(roles), invited, disabled_at, created_at)


async def _change(session: AsyncSession, *which: ColumnElement[bool], **values: object) -> bool:
    changed = update(_users).where(*which).values(updated_at=utc_now(), **values).returning(_users.c.id)
    return (await session.execute(changed)).one_or_none() is not None


async def _locked_owners(session: AsyncSession) -> Sequence[UUID]:
    """Owners who can sign in. Locked, in one order and before anybody else: of two who go at once, one stays."""
    owners = select(_users.c.id).where(
        literal(OWNER) == any_(_users.c.roles), _enabled, _users.c.password_hash.is_not(None)
    )
    return (await session.scalars(owners.order_by(_users.c.id).with_for_update(key_share=True))).all()


def _check_not_last(user: User, owners: Sequence[UUID]) -> None:
    if list(owners) == [user.id]:
        raise LastOwner(f"{user.email} is the last owner: make somebody else an owner first (`saas users set-role`)")
