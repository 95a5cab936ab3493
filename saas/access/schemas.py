"""What the API tells callers about themselves and about scopes."""

from pydantic import BaseModel, Field


class TenantView(BaseModel):
    slug: str
    name: str
    issuer: str


class PlanView(BaseModel):
    name: str
    requests_per_minute: int
    burst: int = Field(description="Requests that may come at once")
    requests_per_day: int


class Me(BaseModel):
    """The caller of this request, as its access token says, and the tenant it was made at."""

    subject: str = Field(description="The user, or the client itself where no user is behind it")
    client_id: str
    scopes: list[str]
    expires_at: int = Field(description="When the access token expires, in seconds since 1970")
    tenant: TenantView
    plan: PlanView


class ScopeView(BaseModel):
    name: str
    description: str
    category: str
    sensitive: bool = Field(description="Marked where a person is asked for consent")


class ScopeList(BaseModel):
    items: list[ScopeView]
