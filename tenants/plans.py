"""What a tenant may use."""

from dataclasses import KW_ONLY, dataclass


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
    #: What the plan switches on, of `tenants.plans.FEATURES`.
    features: frozenset[str] = frozenset()
    #: Limits count and report what they would have refused, and refuse nothing.
    shadow: bool = False
