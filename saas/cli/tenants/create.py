"""`saas tenants create`."""

from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.tenants.records import Slug, document

if TYPE_CHECKING:
    from saas.services import Services


def create(
    slug: Slug,
    *,
    owner_email: Annotated[str, typer.Option(help="Who administers the tenant.", show_default=False)],
    name: Annotated[str, typer.Option(help="The customer's name.", show_default="the slug")] = "",
    plan: Annotated[str, typer.Option(help="See `saas plans list`.")] = "free",
    domain: Annotated[
        str | None, typer.Option(help="A custom domain that also leads to it, taken as proved on your word.")
    ] = None,
    database: Annotated[
        str | None, typer.Option(help="See `saas databases list`.", show_default="where there is room")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Create a tenant: registry, schema, signing key and owner, whose password is printed once.

    Stopped half-way, run it again: it finishes. A tenant that exists is left as it is.
    """
    from saas.onboarding.service import Onboarded, onboard  # noqa: PLC0415 - slow to import: not for `--help`

    async def work(services: "Services") -> Onboarded:
        return await onboard(
            services.database,
            services.registry,
            services.keys,
            slug=slug,
            name=name or slug,
            plan=plan,
            owner_email=owner_email,
            domain=domain,
            on=database,
        )

    done = run(work)
    owner = {"owner_email": done.owner_email, "owner_password": done.owner_password} if done.created else {}
    if as_json:
        output.print_json({"created": done.created, "tenant": document(done.tenant), **owner})
        return
    output.print_fields({**document(done.tenant), **owner})
    if done.created:
        output.note("The owner's password is shown this once.")
    else:
        output.note(f"{slug} exists already; nothing was changed. Owner's password lost? `saas users reset-password`")
