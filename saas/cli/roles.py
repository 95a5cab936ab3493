"""`saas roles`: roles of a tenant's own, beside owner, admin and member."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.one_tenant import TenantOption, run_in_tenant
from saas.cli.output import JsonOption

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.identity.role_service import HeldRole
    from saas.identity.roles import Role
    from saas.services import Services
    from tenants.registry import Tenant

app = typer.Typer(name="roles", help="A tenant's own roles: each is a set of scopes.", no_args_is_help=True)

_Name = Annotated[str, typer.Argument(help="Like support or read-only.", show_default=False)]


@app.command()
def create(
    name: _Name,
    slug: TenantOption,
    scope: Annotated[list[str], typer.Option(help="What it allows, in quotes or repeated.", show_default=False)],
    description: Annotated[str, typer.Option(help="In words.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a role. Give it to people with `saas users set-role`."""
    from saas.identity.roles import Role  # noqa: PLC0415 - slow to import: not for `--help`

    role = Role(name, description, tuple(" ".join(scope).split()))

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> "HeldRole":
        return await services.roles.create(session, role, by=None)

    document = _document(run_in_tenant(slug, work))
    if as_json:
        output.print_json(document)
    else:
        output.print_fields(document)


@app.command("list")
def list_roles(slug: TenantOption, as_json: JsonOption = False) -> None:
    """List a tenant's own roles by name."""

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> "list[HeldRole]":
        return await services.roles.list(session)

    found = [_document(role) for role in run_in_tenant(slug, work) if not role.builtin]
    if as_json:
        output.print_json(found)
        return
    columns = ("name", "description", "scopes")
    output.print_table(
        columns,
        [[role[column] for column in columns] for role in found],
        empty="No roles of its own. Create one with `saas roles create`.",
    )


@app.command()
def change(
    name: _Name,
    slug: TenantOption,
    *,
    add: Annotated[
        list[str] | None, typer.Option(help="Scopes that it allows, too; in quotes or repeated.", show_default=False)
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(help="Scopes that it allows no more; as --add is.", show_default=False)
    ] = None,
    description: Annotated[str | None, typer.Option(help="In words; '' for none.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Change what a role allows, for everybody who has it. What is not named stays as it is.

    What its holders may not do any more ends at once: access tokens that say more are refused.
    """
    added, removed = (" ".join(given or ()).split() for given in (add, remove))
    if not (added or removed) and description is None:
        raise typer.BadParameter("say what to change, with --add, --remove or --description")
    if both := sorted({*added} & {*removed}):
        raise typer.BadParameter(f"{', '.join(both)}: either --add or --remove it")

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> "tuple[HeldRole, HeldRole]":
        before = await services.roles.find(session, name, lock=True)
        wanted = _changed(before, added, removed, description)
        return before, await services.roles.change(session, tenant, wanted, by=None)

    before, after = run_in_tenant(slug, work)
    if as_json:
        output.print_json(_document(after) | {"changed": after != before})
        return
    output.print_fields(_document(after))
    output.note(f"The role {name} is changed." if after != before else f"The role {name} was like that already.")


@app.command()
def delete(name: _Name, slug: TenantOption, as_json: JsonOption = False) -> None:
    """Delete a role that nobody has."""

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> None:
        await services.roles.delete(session, name, by=None)

    run_in_tenant(slug, work)
    if as_json:
        output.print_json({"deleted": name})
    else:
        output.note(f"The role {name} is deleted.")


def _changed(role: "HeldRole", added: list[str], removed: list[str], description: str | None) -> "Role":
    """Raises InvalidRole where there is no such thing to remove, or nothing would be left."""
    from saas.identity.errors import InvalidRole  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.identity.roles import Role  # noqa: PLC0415 - as above

    held = ", ".join(role.scopes)
    if missing := [scope for scope in removed if scope not in role.scopes]:
        raise InvalidRole(f"{role.name} does not allow {', '.join(missing)}: it allows {held}")
    scopes = tuple(scope for scope in dict.fromkeys([*role.scopes, *added]) if scope not in removed)
    if not scopes:
        raise InvalidRole(f"{role.name} would allow nothing any more: leave it one of {held}, or delete it")
    return Role(role.name, role.description if description is None else description, scopes)


def _document(role: "HeldRole") -> dict[str, Any]:
    return {"name": role.name, "description": role.description, "scopes": role.scopes}
