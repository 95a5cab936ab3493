"""`saas policies`: what a tenant asks of its people when they sign in."""

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.one_tenant import TenantOption, run_in_tenant
from saas.cli.output import JsonOption

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.identity.policy import Policy
    from saas.services import Services
    from tenants.registry import Tenant

app = typer.Typer(name="policies", help="What a tenant asks of its people when they sign in.", no_args_is_help=True)

_DEFAULT = "default"


@app.command()
def show(slug: TenantOption, as_json: JsonOption = False) -> None:
    """Show a tenant's sign-in policy."""

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> "Policy":
        return await services.policies.read(session)

    _print(slug, run_in_tenant(slug, work), as_json)


@app.command("set")
def set_policy(
    slug: TenantOption,
    *,
    second_factor: Annotated[
        str | None, typer.Option(help="Of whom one is required: none, admins or everyone.", show_default=False)
    ] = None,
    session_idle: Annotated[
        str | None, typer.Option(help="Seconds until a session that nobody uses ends; or `default`.")
    ] = None,
    session_lifetime: Annotated[
        str | None, typer.Option(help="Seconds until a session ends in any case; or `default`.")
    ] = None,
    password_min: Annotated[int | None, typer.Option(help="Characters of a new password, at least.")] = None,
    domain: Annotated[
        list[str] | None,
        typer.Option(help="E-mail domain of new people; can be repeated; '' allows all.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change a tenant's sign-in policy. What is not named stays.

    Sessions without a second factor end where one is required from now on.
    """
    changes: dict[str, Any] = {"second_factor": second_factor, "password_min": password_min}
    changes = {name: value for name, value in changes.items() if value is not None}
    for name, text in (("session_idle", session_idle), ("session_lifetime", session_lifetime)):
        if text is not None:
            changes[name] = _seconds(name, text)
    if domain is not None:
        changes["allowed_email_domains"] = tuple(each for each in domain if each)
    if not changes:
        output.fail("Nothing to set: `saas policies set --help` lists what there is", code=2)

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> "Policy":
        policy = replace(await services.policies.read(session), **changes)
        return await services.policies.change(session, tenant, policy)

    _print(slug, run_in_tenant(slug, work), as_json)


def _seconds(name: str, text: str) -> int | None:
    """None stands for what the operator's settings say."""
    if text != _DEFAULT and not text.isdecimal():
        output.fail(f"--{name.replace('_', '-')} is {text!r}: give a number of seconds, or `default`", code=2)
    return None if text == _DEFAULT else int(text)


def _print(slug: str, policy: "Policy", as_json: bool) -> None:
    document = {"tenant": slug, **asdict(policy)}
    if as_json:
        output.print_json(document)
        return
    for name in ("session_idle", "session_lifetime"):
        document[name] = document[name] or _DEFAULT
    document["allowed_email_domains"] = document["allowed_email_domains"] or "all"
    output.print_fields(document)
