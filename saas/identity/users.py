"""What happens to a tenant's people: made, invited, renamed, disabled, given roles and passwords.

Transactions are the tenant's. A change of a person's rights locks their row before it touches their sessions, so that a
sign-in that runs at the same moment comes wholly before it or wholly after.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import any_, delete, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.identity.accounts import (
    ENABLED,
    USERS,
    Credentials,
    User,
    Who,
    change,
    locked,
    one,
    select_users,
    target_of,
    user_of,
)
from saas.identity.authority import Authority
from saas.identity.errors import EmailTaken, LastOwner, NotInvited
from saas.identity.hooks import Hooks, tell_user
from saas.identity.links import LinkService
from saas.identity.policy import PolicyService
from saas.identity.roles import MEMBER, OWNER, check_roles
from saas.identity.service import add_user, check_name
from saas.identity.sessions import SessionService
from saas.kit.clock import utc_now
from tenants.caps import admit
from tenants.registry import Tenant

__all__ = ["Credentials", "User", "UserService"]


class UserService:
    def __init__(self, sessions: SessionService, links: LinkService, hooks: Hooks, policies: PolicyService) -> None:
        self._sessions = sessions
        self._links = links
        self._hooks = hooks
        self._policies = policies

    async def find(self, session: AsyncSession, who: Who) -> User:
        """Raises UserNotFound."""
        return await one(session, select_users(), who)

    async def list(self, session: AsyncSession) -> list[User]:
        """Everybody, by address."""
        return [user_of(row) for row in await session.execute(select_users().order_by(USERS.c.email_key))]

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
        record(session, "user.created", target=target_of(user), details={"roles": user.roles})
        return user

    async def invite(
        self,
        session: AsyncSession,
        tenant: Tenant,
        *,
        email: str,
        name: str = "",
        roles: Iterable[str] = (MEMBER,),
        by: Authority | None = None,
    ) -> tuple[User, str]:
        """A user without a password, and the token of the link with which they choose one.

        An invitation that is open is made anew, with these roles; the link that was sent before does not work any more.
        Raises what `create` does, and BeyondAuthority.
        """
        roles = list(roles)
        if by is not None:
            await by.check_given(session, roles)
        try:
            user = await self._add(session, tenant, email, name=name, roles=roles)
        except EmailTaken:
            user = await one(session, select_users().with_for_update(), email)
            # Programs and the console send an open invitation again by its user's id: see `invite_again`.
            if user.status != "invited" or by is not None:
                raise
            checked = await check_roles(session, roles)
            await change(session, USERS.c.id == user.id, roles=checked)
            user = await self.find(session, email)
        record(session, "user.invited", target=target_of(user), details={"roles": user.roles})
        return user, await self._links.create(session, user.id, "invitation")

    async def invite_again(self, session: AsyncSession, user_id: UUID, *, by: Authority | None) -> tuple[User, str]:
        """A new link for an open invitation. Raises UserNotFound, NotInvited and BeyondAuthority."""
        user = await self._invited(session, user_id, by)
        record(session, "user.invited", target=target_of(user), details={"roles": user.roles})
        return user, await self._links.create(session, user.id, "invitation")

    async def withdraw(self, session: AsyncSession, user_id: UUID, *, by: Authority | None) -> User:
        """As if nobody had been invited. Raises UserNotFound, NotInvited and BeyondAuthority."""
        user = await self._invited(session, user_id, by)
        await session.execute(delete(USERS).where(USERS.c.id == user.id))
        record(session, "user.invitation_withdrawn", target=target_of(user))
        return user

    async def credentials(self, session: AsyncSession, email: str) -> Credentials | None:
        """Of an account that is not disabled. `email` is in the form of `email_key`."""
        query = select(USERS.c.id, USERS.c.email, USERS.c.password_hash)
        row = (await session.execute(query.where(USERS.c.email_key == email, ENABLED))).one_or_none()
        return None if row is None else Credentials(*row)

    async def confirm(self, session: AsyncSession, proven: Credentials, rehashed: str | None = None) -> bool:
        """Whether what was proven outside of this transaction still holds: it does until the transaction ends.

        Stores the new hash of the same password, where there is one.
        """
        still = (USERS.c.id == proven.user_id, USERS.c.password_hash == proven.password_hash, ENABLED)
        if rehashed is not None:
            return await change(session, *still, password_hash=rehashed)
        unchanged = select(USERS.c.id).where(*still).with_for_update(read=True)
        return (await session.execute(unchanged)).one_or_none() is not None

    async def lock(self, session: AsyncSession, user_id: UUID) -> tuple[User, str | None] | None:
        """Somebody who is not disabled, and the hash of their password: both stay so until the transaction ends."""
        query = locked().add_columns(USERS.c.password_hash).where(USERS.c.id == user_id, ENABLED)
        row = (await session.execute(query)).one_or_none()
        return None if row is None else (user_of(row[:-1]), row[-1])

    async def rename(self, session: AsyncSession, user_id: UUID, name: str, *, by: Authority | None = None) -> None:
        """Raises InvalidPersonName, and where others do it, UserNotFound and BeyondAuthority."""
        checked = check_name(name)
        if by is not None:
            await self.reached(session, user_id, by)
        if await change(session, USERS.c.id == user_id, USERS.c.name != checked, name=checked):
            record(session, "user.renamed", target=Target("user", user_id), details={"name": checked})

    async def change_password(
        self, session: AsyncSession, tenant: Tenant, proven: Credentials, password_hash: str, *, keep: UUID
    ) -> bool:
        """By a person who has proven the present one; all sessions but `keep` end. False where it has changed since."""
        still = (USERS.c.id == proven.user_id, USERS.c.password_hash == proven.password_hash, ENABLED)
        if not await change(session, *still, password_hash=password_hash):
            return False
        await self._links.withdraw(session, proven.user_id)
        ended = await self._sessions.end_all(session, tenant, proven.user_id, keep=keep, told=False)
        target = Target("user", proven.user_id, proven.email)
        record(session, "user.password_changed", target=target, details={"sessions_ended": ended})
        return True

    async def reset_password(self, session: AsyncSession, tenant: Tenant, user_id: UUID, password_hash: str) -> bool:
        """Whatever it was; every session ends, and links that were sent do not work. False for a disabled user."""
        if not await change(session, USERS.c.id == user_id, ENABLED, password_hash=password_hash):
            return False
        await self._links.withdraw(session, user_id)
        ended = await self._sessions.end_all(session, tenant, user_id, told=False)
        await tell_user(self._hooks.password_reset, session, tenant, user_id)
        record(session, "user.password_reset", target=Target("user", user_id), details={"sessions_ended": ended})
        return True

    async def accept_invitation(self, session: AsyncSession, user_id: UUID, name: str, password_hash: str) -> bool:
        """False where the user has a password already, or is disabled. Raises InvalidPersonName."""
        open_ = (USERS.c.id == user_id, USERS.c.password_hash.is_(None), ENABLED)
        accepted = await change(session, *open_, name=check_name(name), password_hash=password_hash)
        if accepted:
            record(session, "user.invitation_accepted", target=Target("user", user_id))
        return accepted

    async def disable(self, session: AsyncSession, tenant: Tenant, who: Who, *, by: Authority | None = None) -> User:
        """End all that the user has, now, and let them in no more.

        Raises UserNotFound, LastOwner, BeyondAuthority and OwnAccount.
        """
        owners = await _locked_owners(session)
        user = await self.reached(session, who, by)
        if by is not None:
            by.check_other(user.id)
        if user.disabled_at is None:
            _check_not_last(user, owners)
            await change(session, USERS.c.id == user.id, disabled_at=utc_now())
            await self._links.withdraw(session, user.id)
            ended = await self._sessions.end_all(session, tenant, user.id, told=False)
            await tell_user(self._hooks.user_disabled, session, tenant, user.id)
            record(session, "user.disabled", target=target_of(user), details={"sessions_ended": ended})
        return await self.find(session, user.id)

    async def enable(self, session: AsyncSession, tenant: Tenant, who: Who, *, by: Authority | None = None) -> User:
        """Let the user in again; what has ended stays so. Raises UserNotFound, BeyondAuthority and CapReached."""
        user = await self.reached(session, who, by)
        if user.disabled_at is not None:
            await admit(session, tenant, "users", SEATS)
            await change(session, USERS.c.id == user.id, disabled_at=None)
            record(session, "user.enabled", target=target_of(user))
        return await self.find(session, user.id)

    async def set_roles(
        self, session: AsyncSession, tenant: Tenant, who: Who, roles: Iterable[str], *, by: Authority | None = None
    ) -> User:
        """Exactly these. Raises UserNotFound, UnknownRole, LastOwner and BeyondAuthority."""
        checked = await check_roles(session, roles)
        owners = await _locked_owners(session)
        user = await self.reached(session, who, by)
        if by is not None:
            await by.check_given(session, checked)
        if OWNER not in checked:
            _check_not_last(user, owners)
        if set(checked) != set(user.roles):
            await change(session, USERS.c.id == user.id, roles=checked)
            await tell_user(self._hooks.user_roles_changed, session, tenant, user.id)
            record(session, "user.roles_changed", target=target_of(user), details={"from": user.roles, "to": checked})
        return await self.find(session, user.id)

    async def reached(self, session: AsyncSession, who: Who, by: Authority | None) -> User:
        """Somebody whom `by` may change; nobody else changes them until the transaction ends.

        Raises UserNotFound and BeyondAuthority.
        """
        user = await one(session, locked(), who)
        if by is not None:
            await by.check_person(session, user.roles)
        return user

    async def _invited(self, session: AsyncSession, user_id: UUID, by: Authority | None) -> User:
        user = await self.reached(session, user_id, by)
        if user.status != "invited":
            raise NotInvited(f"{user.email} has no open invitation: they have accepted it, or are disabled")
        return user

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
        await admit(session, tenant, "users", SEATS, added=1)
        return await self.find(session, email)


#: Who counts towards the plan's cap: everybody who is let in, or invited.
SEATS: Final = select(USERS.c.id).where(ENABLED)


async def _locked_owners(session: AsyncSession) -> Sequence[UUID]:
    """Owners who can sign in. Locked, in one order and before anybody else: of two who go at once, one stays."""
    owners = select(USERS.c.id).where(
        literal(OWNER) == any_(USERS.c.roles), ENABLED, USERS.c.password_hash.is_not(None)
    )
    return (await session.scalars(owners.order_by(USERS.c.id).with_for_update(key_share=True))).all()


def _check_not_last(user: User, owners: Sequence[UUID]) -> None:
    if list(owners) == [user.id]:
        raise LastOwner(f"{user.email} is the last owner: make somebody else an owner first")
