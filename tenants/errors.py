"""What can go wrong with a tenant. Each error carries the HTTP status and the problem type that it answers with."""


class TenancyError(Exception):
    """Base of this package's errors. `str(error)` is safe to show to the caller and says what to do."""

    status: int = 500
    #: Stable identifier of the kind of error, the last part of the problem's `type` (RFC 9457).
    code: str = "tenancy-error"
    title: str = "Tenancy error"


class TenantNotFound(TenancyError):
    status = 404
    code = "unknown-tenant"
    title = "Unknown tenant"


class TenantSuspended(TenancyError):
    status = 403
    code = "tenant-suspended"
    title = "Tenant suspended"


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


class SchemaBusy(TenancyError):
    status = 503
    code = "schema-busy"
    title = "Schema busy"


class InvalidRevision(TenancyError):
    code = "invalid-revision"
    title = "Invalid revision"


class InvalidBranding(TenancyError):
    status = 422
    code = "invalid-branding"
    title = "Invalid branding"
