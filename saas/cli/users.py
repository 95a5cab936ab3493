"""`saas users`: the people of a tenant."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.one_tenant import TenantOption, find_tenant, run_in_tenant
from saas.cli.output import JsonOption
from saas.cli.runtime import run

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.identity.users import User
    from saas.services import Services
    from tenants.registry import Tenant

app = typer.Typer(name="users", help="The people of a tenant: make, invite, disable, help them.", no_args_is_help=True)

_Email = Annotated[str, typer.Option(help="Whose account.", show_default=False)]
_Name = Annotated[str, typer.Option(help="What they are called.", show_default="the address, before the @")]
_Role = Annotated[list[str], typer.Option(help="owner, admin, member or one of the tenant's own; can be repeated.")]
_MEMBER = ["member"]


@app.command()
def create(
    slug: TenantOption, email: _Email, name: _Name = "", role: _Role = _MEMBER, as_json: JsonOption = False
) -> None:
    """Make a user with a generated password, printed once."""
    from saas.identity.passwords import hash_password  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.kit.ids import new_password  # noqa: PLC0415

    password = new_password()

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> "User":
        password_hash = await hash_password(password)
        return await services.users.create(
            session, tenant, email=email, name=name, roles=role, password_hash=password_hash
        )

    user = run_in_tenant(slug, work)
    _print_password(_document(slug, user), password, as_json)


@app.command("list")
def list_users(slug: TenantOption, as_json: JsonOption = False) -> None:
    """List a tenant's people by address, disabled and invited ones included."""

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> "list[User]":
        return await services.users.list(session)

    found = [_document(slug, user) for user in run_in_tenant(slug, work)]
    if as_json:
        output.print_json(found)
        return
    columns = ("email", "name", "roles", "status", "created_at")
    output.print_table(
        columns,
        [[user[column] for column in columns] for user in found],
        empty="No users. Create one with `saas users create`.",
    )


@app.command()
def invite(
    slug: TenantOption, email: _Email, name: _Name = "", role: _Role = _MEMBER, as_json: JsonOption = False
) -> None:
    """Mail somebody a link with which they choose their password. Invite again to send a new one.

    Where no mail can be sent, the link is printed.
    """
    from saas.identity.mails import invitation_mail, link_address  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.kit.mail import MailError  # noqa: PLC0415

    async def work(services: "Services") -> tuple["User", str | None, str]:
        tenant = await find_tenant(services, slug)
        async with services.database.tenant_session(tenant) as session:
            user, token = await services.users.invite(session, tenant, email=email, name=name, roles=role)
        # After the commit: a link must not reach anybody before it works.
        try:
            await services.mailer.send(invitation_mail(tenant, user.email, token, services.links.ttl["invitation"]))
        except MailError as error:
            return user, link_address(tenant, "invitation", token), str(error)
        return user, None, ""

    user, link, why = run(work)
    document = _document(slug, user) | {"mailed": link is None} | ({"link": link} if link else {})
    if as_json:
        output.print_json(document)
    else:
        output.print_fields(document)
    output.note(f"{why}. Give {user.email} the link yourself." if link else f"{user.email} has been sent a link.")


@app.command()
def disable(slug: TenantOption, email: _Email, as_json: JsonOption = False) -> None:
    """Let a user in no more, and end their sessions and what they allowed to apps, at once."""

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> "User":
        return await services.users.disable(session, tenant, email)

    user = run_in_tenant(slug, work)
    undo = f"saas users enable --tenant {slug} --email {user.email}"
    _print_changed(slug, user, f"{user.email} is disabled. Undo with `{undo}`.", as_json)


@app.command()
def enable(slug: TenantOption, email: _Email, as_json: JsonOption = False) -> None:
    """Let a disabled user in again."""

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> "User":
        return await services.users.enable(session, tenant, email)

    user = run_in_tenant(slug, work)
    _print_changed(slug, user, f"{user.email} may sign in again.", as_json)


@app.command()
def set_role(
    slug: TenantOption,
    email: _Email,
    role: Annotated[list[str], typer.Option(help="Replaces those they have; can be repeated.", show_default=False)],
    as_json: JsonOption = False,
) -> None:
    """Give a user exactly these roles."""

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> "User":
        return await services.users.set_roles(session, tenant, email, role)

    user = run_in_tenant(slug, work)
    _print_changed(slug, user, f"{user.email} is now: {', '.join(user.roles)}.", as_json)


@app.command()
def reset_password(slug: TenantOption, email: _Email, as_json: JsonOption = False) -> None:
    """Give a user a new generated password, printed once. Their sessions end."""
    from saas.identity.passwords import hash_password  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.kit.ids import new_password  # noqa: PLC0415

    password = new_password()

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> bool:
        user = await services.users.find(session, email)
        return await services.users.reset_password(session, tenant, user.id, await hash_password(password))

    if not run_in_tenant(slug, work):
        output.fail(f"{email} is disabled: run `saas users enable --tenant {slug} --email {email}` first")
    _print_password({"tenant": slug, "email": email}, password, as_json)


@app.command()
def reset_factors(slug: TenantOption, email: _Email, as_json: JsonOption = False) -> None:
    """Take away the second factors of somebody who has lost them. Make sure that it is them who ask.

    Their sessions end, and they are told by mail, where mail can be sent.
    """
    from saas.identity.mails import factors_changed_mail  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.kit.mail import MailError  # noqa: PLC0415

    async def work(services: "Services") -> int:
        tenant = await find_tenant(services, slug)
        async with services.database.tenant_session(tenant) as session:
            user = await services.users.find(session, email)
            count = await services.factors.reset(session, user.id)
            await services.sessions.end_all(session, tenant, user.id)
        try:
            await services.mailer.send(factors_changed_mail(tenant, user.email, "All second factors were removed."))
        except MailError as error:
            output.note(f"{error}. Tell {user.email} yourself.")
        return count

    count = run(work)
    if as_json:
        output.print_json({"tenant": slug, "email": email, "removed": count})
    else:
        output.note(f"{email} has no second factor any more ({count} removed) and is signed out.")


def _print_password(document: dict[str, Any], password: str, as_json: bool) -> None:
    document |= {"password": password}
    if as_json:
        output.print_json(document)
    else:
        output.print_fields(document)
        output.note("The password is shown this once.")


def _print_changed(slug: str, user: "User", message: str, as_json: bool) -> None:
    if as_json:
        output.print_json(_document(slug, user))
    else:
        output.note(message)


def _document(slug: str, user: "User") -> dict[str, Any]:
    return {
        "tenant": slug,
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "roles": user.roles,
        "status": user.status,
        "created_at": user.created_at,
    }
