"""What administrators do with the people of a tenant: find, invite, help and shut them out. Transactions are the
tenant's.

`by` is whoever acts, and how far their rights reach: see `authority`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from saas.identity.accounts import ENABLED, USERS, User
from saas.identity.authority import Authority
from saas.identity.errors import EmailDomainNotAllowed, EmailTaken, InvalidEmail, NoMail
from saas.identity.factors import FactorService
from saas.identity.links import LinkService
from saas.identity.mails import factors_changed_mail, invitation_mail
from saas.identity.policy import PolicyService
from saas.identity.roles import MEMBER
from saas.identity.service import check_email, email_key
from saas.identity.sessions import SessionInfo, SessionService
from saas.identity.users import UserService
from saas.kit.background import Background
from saas.kit.mail import Mailer, Message, NoMailer
from saas.web.problems import Problem
from tenants.changes import after_commit
from tenants.plans import check_cap
from tenants.registry import Tenant

#: People who are invited with one form.
MOST_INVITED: Final = 50


class PeopleService:
    def __init__(
        self,
        users: UserService,
        sessions: SessionService,
        *,
        links: LinkService,
        policies: PolicyService,
        factors: FactorService,
        mailer: Mailer,
        background: Background,
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._links = links
        self._policies = policies
        self._factors = factors
        self._mailer = mailer
        self._background = background

    async def faults(self, session: AsyncSession, tenant: Tenant, emails: Sequence[str]) -> Mapping[str, Problem]:
        """Why each of these addresses, at most `MOST_INVITED`, cannot be invited. Raises CapReached, and NoMail.

        Nothing keeps it true: what has changed meanwhile `invite` finds.
        """
        self._check_mail()
        policy = await self._policies.read(session)
        found: dict[str, Problem] = {}
        for email in emails:
            try:
                policy.check_domain(check_email(email))
            except (InvalidEmail, EmailDomainNotAllowed) as problem:
                found[email] = problem
        keys = {email_key(email): email for email in emails if email not in found}
        for key in await session.scalars(select(USERS.c.email_key).where(USERS.c.email_key.in_(keys))):
            found[keys[key]] = EmailTaken(f"{keys[key]} is here already, or invited")
        await self._check_room(session, tenant, len(emails))
        return found

    async def invite(
        self,
        session: AsyncSession,
        tenant: Tenant,
        *,
        email: str,
        name: str = "",
        roles: Collection[str] = (MEMBER,),
        by: Authority | None,
    ) -> User:
        """Somebody new, who is mailed a link with which they choose their password.

        Raises what `UserService.invite` does, and NoMail.
        """
        self._check_mail()
        user, token = await self._users.invite(session, tenant, email=email, name=name, roles=roles, by=by)
        self._mail_invitation(session, tenant, user, token)
        return user

    async def invite_again(self, session: AsyncSession, tenant: Tenant, user_id: UUID, *, by: Authority | None) -> User:
        """A new link; the one from before does not work any more. Raises as `UserService.invite_again`, and NoMail."""
        self._check_mail()
        user, token = await self._users.invite_again(session, user_id, by=by)
        self._mail_invitation(session, tenant, user, token)
        return user

    async def sessions_of(self, session: AsyncSession, user_id: UUID) -> list[SessionInfo]:
        """Raises UserNotFound."""
        await self._users.find(session, user_id)
        return await self._sessions.list(session, user_id)

    async def end_session(
        self, session: AsyncSession, tenant: Tenant, user_id: UUID, session_id: UUID, *, by: Authority | None
    ) -> bool:
        """False where there is no such session. Raises UserNotFound and BeyondAuthority."""
        await self._users.reached(session, user_id, by)
        return await self._sessions.end(session, tenant, user_id, session_id)

    async def end_sessions(
        self,
        session: AsyncSession,
        tenant: Tenant,
        user_id: UUID,
        *,
        by: Authority | None,
        keep: UUID | None = None,
    ) -> int:
        """All but `keep`; how many. Raises UserNotFound and BeyondAuthority."""
        await self._users.reached(session, user_id, by)
        return await self._sessions.end_all(session, tenant, user_id, keep=keep)

    async def reset_factors(self, session: AsyncSession, tenant: Tenant, user_id: UUID, *, by: Authority | None) -> int:
        """Of somebody who has lost them: they are signed out, and told by mail. How many there were.

        Raises UserNotFound and BeyondAuthority.
        """
        user = await self._users.reached(session, user_id, by)
        count = await self._factors.reset(session, user_id)
        await self._sessions.end_all(session, tenant, user_id)
        if not isinstance(self._mailer, NoMailer):
            self._mail(session, factors_changed_mail(tenant, user.email, "All second factors were removed."))
        return count

    def _check_mail(self) -> None:
        if isinstance(self._mailer, NoMailer):
            raise NoMail("Invitations go out by mail, and none can be sent from here: ask whoever runs this server")

    async def _check_room(self, session: AsyncSession, tenant: Tenant, added: int) -> None:
        cap = tenant.plan.users
        if cap is not None:
            here = await session.scalar(select(func.count()).select_from(USERS).where(ENABLED)) or 0
            if here + added > cap:
                check_cap(tenant.plan, "users", max(here, cap))

    def _mail_invitation(self, session: AsyncSession, tenant: Tenant, user: User, token: str) -> None:
        ttl: timedelta = self._links.ttl["invitation"]
        self._mail(session, invitation_mail(tenant, user.email, token, ttl))

    def _mail(self, session: AsyncSession, message: Message) -> None:
        """Once it is true; nobody waits for it."""

        async def send() -> None:
            self._background.start("mail to somebody who is administered", lambda: self._mailer.send(message))

        after_commit(session, send)
