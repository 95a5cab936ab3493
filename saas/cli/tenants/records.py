"""What the commands of `saas tenants` share: their argument, and how a tenant is printed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.services import Services
    from tenants.registry import Tenant

Slug = Annotated[str, typer.Argument(help="The tenant's short name, as in its host.", show_default=False)]


async def changed(
    services: "Services",
    slug: str,
    action: str,
    change: "Callable[[AsyncSession], Awaitable[Tenant]]",
    **details: object,
) -> "Tenant":
    """Change a tenant in the registry, and tell of it in its audit log."""
    from saas.audit.tenancy import change_tenant  # noqa: PLC0415 - slow to import: not for `--help`

    async with services.database.platform_session() as session:
        tenant = await services.registry.get(session, slug)
    return await change_tenant(services.database, tenant, action, change, **details)


def print_changed(tenant: "Tenant", message: str, as_json: bool) -> None:
    if as_json:
        output.print_json(document(tenant))
    else:
        output.note(message)


def document(tenant: "Tenant") -> dict[str, Any]:
    return {
        "id": tenant.id,
        "slug": tenant.slug,
        "name": tenant.name,
        "issuer": tenant.issuer,
        "host": tenant.host,
        "domains": tenant.domains,
        "plan": tenant.plan.name,
        "status": tenant.status,
        "suspended_reason": tenant.suspended_reason,
        "deleted_at": tenant.deleted_at,
        "purge_at": tenant.purge_at,
        "database": tenant.database,
        "revision": tenant.revision,
        "accent": tenant.accent,
        "logo": tenant.logo,
        "created_at": tenant.created_at,
    }
