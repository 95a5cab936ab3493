"""`saas tenants rename`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.tenants.records import Slug, changed, document
from saas.cli.times import parse_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.services import Services
    from tenants.registry import Tenant


def rename(
    slug: Slug,
    new_slug: Annotated[str, typer.Argument(help="Its next one. The same: only the name changes.", show_default=False)],
    name: Annotated[str | None, typer.Option(help="The customer's next name.", show_default="as it is")] = None,
    redirect_for: Annotated[
        str | None,
        typer.Option(
            help="How long the former host leads to the next one, like 30d; 0: not at all.", show_default="30d"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give a tenant another slug, and with it another host and issuer. Its data stays where it is.

    Requests to the former host are redirected (308, same path and query) for a while, in which nobody else gets the
    former slug; X-Tenant with the former slug works as long. Programs drop credentials when they are redirected to
    another host: the redirect is for people, and to find out where the tenant is.

    **Clients have to change:** the issuer is another one, so they read the metadata of the new host, and expect `iss`
    and the audience of the API there. Access tokens from before are refused; refresh tokens, client secrets and keys
    stay valid at the new host. People sign in again, since cookies belong to a host; passkeys of the former host are
    to be registered anew.
    """
    from tenants import lifecycle  # noqa: PLC0415 - slow to import: not for `--help`

    keep = None if redirect_for is None else parse_duration(redirect_for)

    async def work(services: "Services") -> "Tenant":
        default = timedelta(seconds=services.settings.tenants.redirect)

        def change(session: "AsyncSession") -> "Awaitable[Tenant]":
            redirect = default if keep is None else keep
            return lifecycle.rename(session, services.registry, slug, new_slug, name=name, redirect_for=redirect)

        return await changed(services, slug, "tenant.renamed", change, to=new_slug, name=name)

    tenant = run(work)
    if as_json:
        output.print_json(document(tenant))
    elif slug == new_slug:
        output.note(f"{slug} is called {tenant.name}.")
    else:
        output.note(f"{slug} is {new_slug} now, at {tenant.issuer}. Its clients have to learn of the new issuer.")
