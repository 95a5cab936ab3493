"""`saas roles`: roles of a tenant's own, beside owner, admin and member."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.identity.roles import Role
    from saas.services import Services
    from tenants.registry import Tenant

app = typer.Typer(name="roles", help="A tenant's own roles: each is a set of scopes.", no_args_is_help=True)

_Slug = Annotated[str, typer.Option("--tenant", help="The tenant's slug.", show_default=False)]
_Name = Annotated[str, typer.Argument(help="Like support or read-only.", show_default=False)]


@app.command()
def create(
    name: _Name,
    slug: _Slug,
    scope: Annotated[list[str], typer.Option(help="What it allows, in quotes or repeated.", show_default=False)],
    description: Annotated[str, typer.Option(help="In words.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Make a role. Give it to people with `saas users set-role`."""
    from saas.identity.roles import Role, create_role  # noqa: PLC0415 - slow to import: not for `--help`

    role = Role(name, description, tuple(" ".join(scope).split()))

    async def work(services: "Services") -> None:
        async with services.database.tenant_session(await _tenant(services, slug)) as session:
            await create_role(session, role, services.catalogue)

    run(work)
    if as_json:
        output.print_json(_document(role))
    else:
        output.print_fields(_document(role))


@app.command("list")
def list_roles(slug: _Slug, as_json: JsonOption = False) -> None:
    """List a tenant's own roles by name."""
    from saas.identity import roles  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> "list[Role]":
        async with services.database.tenant_session(await _tenant(services, slug)) as session:
            return await roles.list_roles(session)

    found = [_document(role) for role in run(work)]
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
def delete(name: _Name, slug: _Slug, as_json: JsonOption = False) -> None:
    """Delete a role that nobody has."""
    from saas.identity.roles import delete_role  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> None:
        async with services.database.tenant_session(await _tenant(services, slug)) as session:
            await delete_role(session, name)

    run(work)
    if as_json:
        output.print_json({"deleted": name})
    else:
        output.note(f"The role {name} is deleted.")


async def _tenant(services: "Services", slug: str) -> "Tenant":
    async with services.database.platform_session() as session:
        return await services.registry.get_made(session, slug)


def _document(role: "Role") -> dict[str, Any]:
    return {"name": role.name, "description": role.description, "scopes": role.scopes}
