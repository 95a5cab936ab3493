"""`saas users`: help for the people of a tenant."""

from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from saas.services import Services

app = typer.Typer(name="users", help="Help the people of a tenant.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keeps `users` a group while it has one command."""


@app.command()
def reset_password(
    tenant: Annotated[str, typer.Option(help="The tenant's slug.", show_default=False)],
    email: Annotated[str, typer.Option(help="Whose password.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Give a user a new generated password, printed once."""
    from saas.identity.passwords import hash_password  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.identity.service import set_password  # noqa: PLC0415
    from saas.kit.ids import new_password  # noqa: PLC0415

    password = new_password()

    async def work(services: "Services") -> None:
        async with services.database.platform_session() as session:
            found = await services.registry.get_made(session, tenant)
        password_hash = await hash_password(password)
        async with services.database.tenant_session(found) as session:
            await set_password(session, email, password_hash)

    run(work)
    if as_json:
        output.print_json({"tenant": tenant, "email": email, "password": password})
    else:
        output.print_fields({"tenant": tenant, "email": email, "password": password})
        output.note("The password is shown this once.")
