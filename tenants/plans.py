"""What a tenant may use, and the two questions that it answers: may there be one more, and is this switched on."""

from dataclasses import KW_ONLY, dataclass
from typing import Final

from tenants.errors import CapReached, FeatureNotInPlan

#: What a plan can switch on, and what it is called where people read of it. A product adds its own here.
FEATURES: Final = {
    "custom-domains": "custom domains",
    "audit-export": "the export of the audit log",
}
#: The fields of a plan that cap how many rows a tenant has.
CAPS: Final = ("users", "clients", "projects", "domains")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a tenant may use: rates in requests, caps in rows. A limit is positive, a cap may be 0; None: no limit.

    As `Tenant.plan` it is the effective one: that of the tenant's plan, with the tenant's overrides while they last.
    """

    name: str
    _: KW_ONLY
    version: int = 1
    requests_per_minute: int
    #: Requests that may come at once.
    burst: int
    #: Calendar days and months in UTC.
    requests_per_day: int
    requests_per_month: int | None = None
    #: Requests under way at the same time.
    concurrent: int | None = None
    users: int | None = None
    clients: int | None = None
    projects: int | None = None
    #: Custom ones.
    domains: int | None = None
    #: The most seconds that an access token lives; the platform's setting may be less.
    token_lifetime: int | None = None
    #: Percent of the tenant's rate that one client may use; None: all of it.
    client_share: int | None = None
    #: Percent of the tenant's rate that one user may use; None: all of it.
    user_share: int | None = None
    #: How long the audit log is kept.
    audit_days: int = 365
    #: What the plan switches on, of `FEATURES`.
    features: frozenset[str] = frozenset()
    #: Limits count and report what they would have refused, and refuse nothing.
    shadow: bool = False

    def token_seconds(self, setting: int) -> int:
        """How long an access token lives, where the platform's setting says `setting`: the shorter of both."""
        return setting if self.token_lifetime is None else min(setting, self.token_lifetime)


def check_cap(plan: Plan, name: str, count: int) -> None:
    """Raises CapReached where a tenant that has `count` of them may not have one more.

    The count has to be true until the transaction ends: `tenants.caps.admit` sees to that.
    """
    cap: int | None = getattr(plan, name)
    if cap is not None and count >= cap:
        raise CapReached(plan.name, name, cap, count)


def require_feature(plan: Plan, feature: str) -> None:
    """Raises FeatureNotInPlan."""
    if feature not in plan.features:
        raise FeatureNotInPlan(plan.name, feature, FEATURES[feature])
