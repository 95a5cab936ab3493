"""What can go wrong with a tenant. Each error carries the HTTP status and the problem type that it answers with."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID


class TenancyError(Exception):
    """Base of this package's errors. `str(error)` is safe to show to the caller and says what to do."""

    status: int = 500
    #: Stable identifier of the kind of error, the last part of the problem's `type` (RFC 9457).
    code: str = "tenancy-error"
    title: str = "Tenancy error"
    #: Seconds after which it is worth trying again; None: it is not a matter of time.
    retry_after: int | None = None

    @property
    def members(self) -> Mapping[str, Any]:
        """What the problem's document says besides."""
        return {}


class TenantNotFound(TenancyError):
    status = 404
    code = "unknown-tenant"
    title = "Unknown tenant"


class TenantSuspended(TenancyError):
    status = 403
    code = "tenant-suspended"
    title = "Tenant suspended"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def members(self) -> Mapping[str, Any]:
        return {"reason": self.reason} if self.reason else {}


class TenantMoving(TenancyError):
    """It is being moved to another database: whoever waits is served, mostly within seconds."""

    status = 503
    code = "tenant-moving"
    title = "Tenant moving"
    retry_after = 5

    def __init__(self, message: str, *, tenant_id: UUID) -> None:
        super().__init__(message)
        self.tenant_id = tenant_id


class TenantRenamed(TenancyError):
    """The tenant is at `address` now (scheme and host): the same path there is what was asked for."""

    status = 308
    code = "tenant-renamed"
    title = "Tenant renamed"

    def __init__(self, message: str, *, address: str) -> None:
        super().__init__(message)
        self.address = address


class TenantNotReady(TenancyError):
    status = 503
    code = "tenant-not-ready"
    title = "Tenant not ready"


class MalformedTenant(TenancyError):
    status = 400
    code = "malformed-tenant"
    title = "Malformed Host or X-Tenant"


class TenantMismatch(TenancyError):
    status = 400
    code = "tenant-mismatch"
    title = "Host and X-Tenant disagree"


class TenantExists(TenancyError):
    status = 409
    code = "tenant-exists"
    title = "Tenant exists"


class HostTaken(TenancyError):
    status = 409
    code = "host-taken"
    title = "Host taken"


class DomainNotFound(TenancyError):
    status = 404
    code = "unknown-domain"
    title = "Unknown domain"


class DomainNotProved(TenancyError):
    """`found` is what the record says instead; None: there is none."""

    status = 409
    code = "domain-not-proved"
    title = "Domain not proved"

    def __init__(self, message: str, *, found: str | None = None) -> None:
        super().__init__(message)
        self.found = found


class TooManyDomains(TenancyError):
    status = 403
    code = "too-many-domains"
    title = "Too many domains"


class NameServersSilent(TenancyError):
    status = 503
    code = "name-servers-silent"
    title = "The name servers do not answer"


class InvalidName(TenancyError):
    status = 422
    code = "invalid-name"
    title = "Invalid name"


class PlanNotFound(TenancyError):
    status = 404
    code = "unknown-plan"
    title = "Unknown plan"


class InvalidPlan(TenancyError):
    status = 422
    code = "invalid-plan"
    title = "Invalid plan"


class DatabaseNotFound(TenancyError):
    status = 503
    code = "unknown-database"
    title = "Unknown database"


class NoDatabaseOpen(TenancyError):
    status = 503
    code = "no-database-open"
    title = "No database takes new tenants"


class SchemaNotDistributed(TenancyError):
    code = "schema-not-distributed"
    title = "Schema not distributed"


class SchemaBusy(TenancyError):
    status = 503
    code = "schema-busy"
    title = "Schema busy"


class InvalidRevision(TenancyError):
    code = "invalid-revision"
    title = "Invalid revision"


class InvalidArchive(TenancyError):
    """Not an archive of a tenant, damaged, altered, or of a later release."""

    status = 422
    code = "invalid-archive"
    title = "Invalid archive"


class WrongPassphrase(TenancyError):
    status = 403
    code = "wrong-passphrase"
    title = "Wrong passphrase"


class TransferRefused(TenancyError):
    """It cannot be moved, exported or imported like this; nothing was changed."""

    status = 409
    code = "transfer-refused"
    title = "Transfer refused"


class CopyDiffers(TenancyError):
    """A copy does not hold what was copied; nobody is served from it."""

    code = "copy-differs"
    title = "The copy differs"


class InvalidBranding(TenancyError):
    status = 422
    code = "invalid-branding"
    title = "Invalid branding"


class CapReached(TenancyError):
    """A plan's cap on users, clients, projects or domains.

    403, as Auth0 answers for what an account may not have more of: the request was understood and this account may
    not do it. Not 402, which RFC 9110 section 15.5.3 reserves and which Stripe, Shopify and Heroku taught
    clients to read as "the payment failed"; whoever calls here is mostly a program that can pay nothing, and the bill
    is in order. Not 429, since no waiting helps: a client that retries on its own would retry for ever. The problem's
    type tells it from a missing scope, and its members say what to show.
    """

    status = 403
    code = "plan-cap-reached"
    title = "The plan's cap is reached"

    def __init__(self, plan: str, cap: str, limit: int, count: int) -> None:
        noun = cap if limit != 1 else cap.removesuffix("s")
        super().__init__(
            f"The plan {plan} allows {limit} {noun}, and there are {count}: remove one that is not needed, "
            "or ask for a larger plan"
        )
        self.plan, self.cap, self.limit, self.count = plan, cap, limit, count

    @property
    def members(self) -> Mapping[str, Any]:
        return {"plan": self.plan, "cap": self.cap, "limit": self.limit, "count": self.count}


class FeatureNotInPlan(TenancyError):
    """403 for the reasons of CapReached."""

    status = 403
    code = "feature-not-in-plan"
    title = "Not in the plan"

    def __init__(self, plan: str, feature: str, words: str) -> None:
        super().__init__(f"The plan {plan} does not include {words}: ask for a plan that does")
        self.plan, self.feature = plan, feature

    @property
    def members(self) -> Mapping[str, Any]:
        return {"plan": self.plan, "feature": self.feature}
