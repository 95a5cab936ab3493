"""/settings: what a tenant's administrators choose, in one document, with the plan that limits it."""

from dataclasses import asdict, replace
from typing import Annotated, Any, Final

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncSession

from saas.access.guards import require
from saas.audit.service import Target, record
from saas.identity.policy import MOST_PASSWORD_MIN, Policy, Required
from saas.web.api import api_router
from saas.web.branding import LOGO_PATH
from saas.web.etags import READS_ONE, Expected, IfMatch, tag
from saas.web.text import Line
from tenants import branding
from tenants.registry import Tenant

router = api_router("/settings", "Settings")

_reader: Final = require("settings:read")
_writer: Final = require("settings:write")
_MOST_DOMAINS: Final = 50
#: A year: what the operator allows is less.
_MOST_SECONDS: Final = 366 * 24 * 60 * 60

Accent = Annotated[
    Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")] | None,
    Field(description="The colour of buttons and links, like #3451d1; null: the platform's own"),
]
Seconds = Annotated[
    Annotated[int, Field(ge=1, le=_MOST_SECONDS)] | None, Field(description="Null: as long as the operator allows")
]
Domain = Annotated[Line, StringConstraints(min_length=1, max_length=253)]


class Looks(BaseModel):
    accent: Accent
    logo: str | None = Field(description="Where the logo is, on the tenant's own host: see `PUT /settings/logo`")


class SignInPolicy(BaseModel):
    second_factor: Required = Field(description="Of whom a second factor is required")
    session_idle: Seconds
    session_lifetime: Seconds
    password_min: int = Field(description="The least characters of a password")
    allowed_email_domains: list[str] = Field(description="Whom people may invite; empty: anybody")


class PlanLimits(BaseModel):
    """For information: the operator changes it."""

    name: str
    requests_per_minute: int
    requests_per_day: int
    requests_per_month: int | None
    users: int | None
    clients: int | None
    projects: int | None
    domains: int | None
    audit_days: int
    features: list[str]


class Settings(BaseModel):
    name: str
    slug: str
    issuer: str
    branding: Looks
    sign_in: SignInPolicy
    plan: PlanLimits


class LooksChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    accent: Accent = None


class PolicyChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    second_factor: Required = Field(default_factory=lambda: "none")
    session_idle: Seconds = None
    session_lifetime: Seconds = None
    password_min: int = Field(default_factory=int, ge=1, le=MOST_PASSWORD_MIN)
    allowed_email_domains: list[Domain] = Field(default_factory=list, max_length=_MOST_DOMAINS)


class SettingsChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    # As in `saas.product.projects.schemas`: what the factories return is never looked at.
    name: Annotated[Line, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] = Field(
        default_factory=str
    )
    branding: LooksChange = Field(default_factory=LooksChange)
    sign_in: PolicyChange = Field(default_factory=PolicyChange)


@router.get("", summary="Read the settings", dependencies=[_reader], openapi_extra=READS_ONE)
async def read_settings(request: Request, response: Response) -> Settings:
    tenant: Tenant = request.scope["tenant"]
    async with request.app.state.database.registry_and_schema(tenant) as (registry, schema):
        settings = await _read(request, registry, schema)
    tag(response, settings, request)
    return settings


@router.patch("", summary="Change the settings", dependencies=[_writer])
async def change_settings(change: SettingsChange, request: Request, response: Response, expected: IfMatch) -> Settings:
    """All of it or nothing. Sessions end of people who need a second factor from now on, and began without one."""
    state, tenant = request.app.state, request.scope["tenant"]
    given = change.model_dump(exclude_unset=True)
    async with state.database.registry_and_schema(tenant) as (registry, schema):
        before, policy = await _lock(request, registry, schema, expected)
        looks = {"name": before.name, "accent": before.accent, **_looks(given)}
        if await branding.set_looks(registry, state.registry, before, **looks) != before:
            record(schema, "tenant.branding_changed", target=_target(before), details=_looks(given))
        wanted = replace(policy, **_policy_fields(given.get("sign_in", {})))
        if wanted != policy:
            await state.policies.change(schema, before, wanted)
        settings = await _read(request, registry, schema)
    tag(response, settings)
    return settings


@router.put(
    "/logo",
    summary="Set the logo",
    dependencies=[_writer],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in branding.MEDIA_TYPES},
        }
    },
)
async def set_logo(request: Request, response: Response, expected: IfMatch) -> Settings:
    """A PNG, JPEG or WebP image of at most 64 kB, as the body: by its content, whatever it is called."""
    return await _replace_logo(request, response, expected, await request.body())


@router.delete("/logo", summary="Take the logo away", dependencies=[_writer])
async def delete_logo(request: Request, response: Response, expected: IfMatch) -> Settings:
    return await _replace_logo(request, response, expected, None)


async def _replace_logo(request: Request, response: Response, expected: Expected, content: bytes | None) -> Settings:
    tenant: Tenant = request.scope["tenant"]
    async with request.app.state.database.registry_and_schema(tenant) as (registry, schema):
        before, _ = await _lock(request, registry, schema, expected)
        await branding.set_logo(registry, before, content)
        await registry.flush()
        settings = await _read(request, registry, schema)
        if settings.branding.logo != _logo_of(before):
            record(schema, "tenant.branding_changed", target=_target(before), details={"logo": content is not None})
    tag(response, settings)
    return settings


async def _lock(
    request: Request, registry: AsyncSession, schema: AsyncSession, expected: Expected
) -> tuple[Tenant, Policy]:
    """The tenant and its policy, which nobody else changes until the commit. Raises ChangedMeanwhile."""
    state, slug = request.app.state, request.scope["tenant"].slug
    await state.registry.changeable(registry, slug)
    policy: Policy = await state.policies.read(schema, lock=True)
    tenant: Tenant = await state.registry.get(registry, slug)
    expected.check(_document(tenant, policy))
    return tenant, policy


async def _read(request: Request, registry: AsyncSession, schema: AsyncSession) -> Settings:
    """As these transactions see them, not as this process remembers them."""
    tenant = await request.app.state.registry.get(registry, request.scope["tenant"].slug)
    return _document(tenant, await request.app.state.policies.read(schema))


def _document(tenant: Tenant, policy: Policy) -> Settings:
    plan = {name: getattr(tenant.plan, name) for name in PlanLimits.model_fields}
    return Settings(
        name=tenant.name,
        slug=tenant.slug,
        issuer=tenant.issuer,
        branding=Looks(accent=tenant.accent, logo=_logo_of(tenant)),
        sign_in=SignInPolicy(**(asdict(policy) | {"allowed_email_domains": list(policy.allowed_email_domains)})),
        plan=PlanLimits(**(plan | {"features": sorted(tenant.plan.features)})),
    )


def _logo_of(tenant: Tenant) -> str | None:
    return tenant.logo and f"{LOGO_PATH}/{tenant.logo}"


def _looks(given: dict[str, Any]) -> dict[str, Any]:
    return {**{name: given[name] for name in ("name",) if name in given}, **given.get("branding", {})}


def _policy_fields(given: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _target(tenant: Tenant) -> Target:
    return Target("tenant", tenant.id, tenant.slug)
