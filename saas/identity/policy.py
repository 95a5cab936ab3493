"""What a tenant asks of its people when they sign in. Transactions are the tenant's.

Sessions are judged by it in the statement that finds them (see `sessions`); nothing of it is cached.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args
from uuid import UUID

from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from saas.audit.service import Target, record
from saas.identity.errors import EmailDomainNotAllowed, InvalidPolicy
from saas.identity.models import PolicyRow, UserRow
from saas.identity.password_rules import MIN_LENGTH
from saas.identity.roles import ADMIN, OWNER
from saas.identity.sessions import SessionService
from saas.kit.clock import utc_now
from saas.settings import IdentitySettings
from tenants.names import is_host
from tenants.registry import Tenant

#: Of whom a second factor is required.
Required = Literal["none", "admins", "everyone"]

REQUIRED: Final = get_args(Required)
_ADMINS: Final = frozenset({OWNER, ADMIN})
_ROW: Final = "sign-in"
#: Seconds. The operator's settings are the longest that a tenant may choose.
_LEAST_IDLE: Final = 300
_LEAST_LIFETIME: Final = 900
#: Above it nobody would find a password that they can remember.
MOST_PASSWORD_MIN: Final = 64
_MOST_DOMAINS: Final = 50
_policies: Final[Table] = PolicyRow.metadata.tables[PolicyRow.__tablename__]
#: Of whoever changes it, from before they read it: there may be no row yet that could be locked.
_LOCK: Final = select(
    func.pg_advisory_xact_lock(func.hashtextextended("sign-in policy of " + func.current_schema(), 0))
)


@dataclass(frozen=True, slots=True)
class Policy:
    """Session times are in seconds; None: as long as the operator allows. No domains: all are allowed."""

    second_factor: Required = "none"
    session_idle: int | None = None
    session_lifetime: int | None = None
    password_min: int = MIN_LENGTH
    allowed_email_domains: tuple[str, ...] = ()

    def requires_factor(self, roles: Collection[str]) -> bool:
        return self.second_factor == "everyone" or (self.second_factor == "admins" and not _ADMINS.isdisjoint(roles))

    def check_domain(self, email: str) -> None:
        """Raises EmailDomainNotAllowed; people who are here already stay."""
        if self.allowed_email_domains and email.rpartition("@")[2].strip().lower() not in self.allowed_email_domains:
            raise EmailDomainNotAllowed(
                f"Only addresses at {', '.join(self.allowed_email_domains)} are allowed here: use one of these, "
                "or change the sign-in policy"
            )


COLUMNS: Final = tuple(_policies.c[field.name] for field in fields(Policy))


class PolicyService:
    def __init__(self, sessions: SessionService, settings: IdentitySettings) -> None:
        self._sessions = sessions
        #: The least and the most that a policy may say, by field.
        self.limits: Final[dict[str, tuple[int, int]]] = {
            "session_idle": (min(_LEAST_IDLE, settings.session_idle), settings.session_idle),
            "session_lifetime": (min(_LEAST_LIFETIME, settings.session_lifetime), settings.session_lifetime),
            "password_min": (MIN_LENGTH, MOST_PASSWORD_MIN),
        }

    async def read(self, session: AsyncSession, *, lock: bool = False) -> Policy:
        """With `lock`, nobody else changes it until this transaction ends."""
        if lock:
            await session.execute(_LOCK)
        return policy_of((await session.execute(select(*COLUMNS))).one_or_none())

    async def change(
        self, session: AsyncSession, tenant: Tenant, policy: Policy, *, keep: UUID | None = None
    ) -> Policy:
        """Make it the tenant's; what it is then. Raises InvalidPolicy.

        Sessions of people who need a second factor from now on, and began without one, end; but `keep`, of the person
        who changes it.
        """
        checked = self.check(policy)
        await session.execute(_LOCK)
        now = utc_now()
        values = {**asdict(checked), "allowed_email_domains": list(checked.allowed_email_domains), "updated_at": now}
        statement = insert(_policies).values(name=_ROW, created_at=now, **values)
        await session.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))
        record(session, "policy.changed", target=Target("policy"), details=asdict(checked))
        await self._end_unproven(session, tenant, checked, keep)
        return checked

    async def follow_roles(self, session: AsyncSession, tenant: Tenant, user_id: UUID) -> None:
        """A hook of changed roles: who becomes an administrator signs in anew, where that takes a second factor."""
        policy = await self.read(session)
        roles = await session.scalar(select(UserRow.roles).where(UserRow.id == user_id))
        if roles is not None and policy.requires_factor(roles):
            await self._sessions.end_single_factor(session, tenant, user_id=user_id)

    async def _end_unproven(self, session: AsyncSession, tenant: Tenant, policy: Policy, keep: UUID | None) -> None:
        if policy.second_factor != "none":
            roles = None if policy.second_factor == "everyone" else _ADMINS
            await self._sessions.end_single_factor(session, tenant, roles=roles, keep=keep)

    def check(self, policy: Policy) -> Policy:
        """As it would be kept. Raises InvalidPolicy."""
        if policy.second_factor not in REQUIRED:
            raise InvalidPolicy(f"A second factor is required of {', '.join(REQUIRED)}: choose one of these")
        for name, (least, most) in self.limits.items():
            value = getattr(policy, name)
            if value is not None and not least <= value <= most:
                raise InvalidPolicy(f"{name} is {value}: choose a number from {least} to {most}")
        domains = tuple(dict.fromkeys(each.strip().lower().removeprefix("@") for each in policy.allowed_email_domains))
        wrong = [domain for domain in domains if "." not in domain or not is_host(domain)]
        if wrong:
            raise InvalidPolicy(f"Not a domain: {', '.join(wrong[:3])}. Write them like example.com")
        if len(domains) > _MOST_DOMAINS:
            raise InvalidPolicy(f"{len(domains)} domains are too many: give at most {_MOST_DOMAINS}")
        return Policy(policy.second_factor, policy.session_idle, policy.session_lifetime, policy.password_min, domains)


def policy_of(row: Any) -> Policy:
    """Of the values of COLUMNS, or of no row."""
    if row is None:
        return Policy()
    second_factor, idle, lifetime, password_min, domains = row
    return Policy(second_factor, idle, lifetime, password_min, tuple(domains))
