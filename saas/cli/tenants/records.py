"""What the commands of `saas tenants` share: their argument, and how a tenant is printed."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output

if TYPE_CHECKING:
    from tenants.registry import Tenant

Slug = Annotated[str, typer.Argument(help="The tenant's short name, as in its host.", show_default=False)]


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
