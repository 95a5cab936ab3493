"""`saas clients`: the OAuth clients of a tenant."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from saas.cli import output
from saas.cli.one_tenant import TenantOption, run_in_tenant
from saas.cli.output import JsonOption
from saas.cli.times import parse_duration

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from saas.oauth.clients import NewClient
    from saas.oauth.registered import ClientInfo
    from saas.services import Services
    from tenants.registry import Tenant

app = typer.Typer(
    name="clients", help="Create, list, rotate and revoke a tenant's OAuth clients.", no_args_is_help=True
)

_ONCE = "The secret is shown this once: what is stored is its hash."
_ClientId = Annotated[str, typer.Argument(help="As `saas clients list` shows it.", show_default=False)]


@app.command()
def create(
    *,
    slug: TenantOption,
    name: Annotated[str, typer.Option(help="What people call it.", show_default=False)],
    scope: Annotated[
        list[str], typer.Option(help="Scopes that it may ask for, in quotes or repeated.", show_default=False)
    ],
    grant: Annotated[list[str], typer.Option(help="What it may use; can be repeated.")] = ["client_credentials"],  # noqa: B006 - Typer copies it
    default_scope: Annotated[
        list[str] | None, typer.Option(help="Scopes that it gets when it names none.", show_default="all of --scope")
    ] = None,
    redirect_uri: Annotated[
        list[str], typer.Option(help="Where people come back to it; can be repeated.", show_default=False)
    ] = [],  # noqa: B006 - Typer copies it
    post_logout_redirect_uri: Annotated[
        list[str], typer.Option(help="Where people may go after signing out; can be repeated.", show_default=False)
    ] = [],  # noqa: B006 - Typer copies it
    backchannel_logout_uri: Annotated[
        str | None, typer.Option(help="Where it is told of sessions that are over.", show_default=False)
    ] = None,
    id_token_alg: Annotated[str, typer.Option(help="What signs its ID tokens: ES256 or RS256.")] = "ES256",  # noqa: S107 - an algorithm
    auth_method: Annotated[
        str | None,
        typer.Option(help="How it proves who it is; private_key_jwt needs --jwks.", show_default="client_secret_basic"),
    ] = None,
    jwks: Annotated[
        typer.FileText | None, typer.Option(help="A file with its public keys, a JWK set.", show_default=False)
    ] = None,
    resource: Annotated[
        list[str],
        typer.Option(help="An API elsewhere that it may have tokens for; can be repeated.", show_default=False),
    ] = [],  # noqa: B006 - Typer copies it
    public: Annotated[bool, typer.Option("--public", help="It runs where it cannot keep a secret.")] = False,
    first_party: Annotated[bool, typer.Option("--first-party", help="It is your own: people are not asked.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Create a client, and print its id and, if it has one, its secret."""
    from saas.oauth.definition import NONE, ClientDefinition  # noqa: PLC0415 - slow to import: not for `--help`

    if public and auth_method not in {None, NONE}:
        raise typer.BadParameter("a public client does not prove who it is", param_hint="--auth-method")
    definition = ClientDefinition(
        name=name,
        grant_types=grant,
        scopes=" ".join(scope).split(),
        default_scopes=None if default_scope is None else " ".join(default_scope).split(),
        auth_method=NONE if public else auth_method or "client_secret_basic",
        jwks=None if jwks is None else jwks.read(),
        resources=resource,
        redirect_uris=redirect_uri,
        post_logout_redirect_uris=post_logout_redirect_uri,
        first_party=first_party,
        id_token_signed_response_alg=id_token_alg,
        backchannel_logout_uri=backchannel_logout_uri,
    )

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> "tuple[Tenant, NewClient]":
        return tenant, await services.clients.create(session, tenant, definition)

    tenant, made = run_in_tenant(slug, work)
    document = {"tenant": tenant.slug, "issuer": tenant.issuer, "client_id": made.client_id}
    if made.secret:
        document["client_secret"] = made.secret
    _print_secret(document, _ONCE if made.secret else "It has no secret.", as_json)


@app.command("list")
def list_clients(slug: TenantOption, as_json: JsonOption = False) -> None:
    """List a tenant's clients, the oldest first, revoked ones included."""

    async def work(services: "Services", _: "Tenant", session: "AsyncSession") -> "list[ClientInfo]":
        return await services.clients.list(session)

    found = [_document(client) for client in run_in_tenant(slug, work)]
    if as_json:
        output.print_json(found)
        return
    columns = ("client_id", "name", "grant_types", "scopes", "secrets", "created_at", "revoked_at")
    output.print_table(
        columns,
        [[client[column] for column in columns] for client in found],
        empty="No clients. Create one with `saas clients create`.",
    )


@app.command()
def rotate_secret(
    client_id: _ClientId,
    slug: TenantOption,
    overlap: Annotated[str, typer.Option(help="How long the old secret still works: 24h, 1d12h, 90m, 0.")] = "24h",
    as_json: JsonOption = False,
) -> None:
    """Give a client a new secret, and print it. The old one lives on for the overlap."""
    lives_on = parse_duration(overlap)

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> str:
        return await services.clients.rotate_secret(session, tenant, client_id, lives_on)

    document = {"tenant": slug, "client_id": client_id, "client_secret": run_in_tenant(slug, work)}
    old = f"The old secret works for {overlap} more." if lives_on else "The old secret works no more."
    _print_secret(document, f"{_ONCE} {old}", as_json)


@app.command()
def revoke(client_id: _ClientId, slug: TenantOption, as_json: JsonOption = False) -> None:
    """Refuse a client and its tokens, within a second and for good."""

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> bool:
        return await services.clients.revoke(session, tenant, client_id)

    changed = run_in_tenant(slug, work)
    if as_json:
        output.print_json({"tenant": slug, "client_id": client_id, "changed": changed})
    else:
        output.note(f"{client_id} is revoked." if changed else f"{client_id} was revoked before; nothing was changed.")


@app.command()
def revoke_tokens(
    client_id: _ClientId,
    slug: TenantOption,
    consents: Annotated[bool, typer.Option("--consents", help="Ask people anew whether they let it in, too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Revoke all tokens that a client has, within a second. It may go on to get new ones."""

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> dict[str, int]:
        ended = await services.apps.revoke_tokens(session, tenant, client_id, consents=consents)
        return ended._asdict()

    _print_secret(
        {"tenant": slug, "client_id": client_id, **run_in_tenant(slug, work)}, "Its tokens are revoked.", as_json
    )


@app.command()
def update(
    *,
    client_id: _ClientId,
    slug: TenantOption,
    name: Annotated[str | None, typer.Option(help="What people call it.", show_default=False)] = None,
    scope: Annotated[
        list[str] | None, typer.Option(help="All that it may ask for, in quotes or repeated.", show_default=False)
    ] = None,
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="All of them; can be repeated.", show_default=False)
    ] = None,
    post_logout_redirect_uri: Annotated[
        list[str] | None, typer.Option(help="All of them; can be repeated.", show_default=False)
    ] = None,
    backchannel_logout_uri: Annotated[
        str | None, typer.Option(help="Where it is told of sessions that are over; '' for nowhere.", show_default=False)
    ] = None,
    jwks: Annotated[
        typer.FileText | None, typer.Option(help="A file with its public keys: these replace all.", show_default=False)
    ] = None,
    first_party: Annotated[
        bool | None, typer.Option("--first-party/--third-party", help="Whether it is your own.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Change a client. What is not named stays as it is; what is a list is given as a whole."""
    given: dict[str, Any] = {
        "name": name,
        "scopes": " ".join(scope).split() if scope else None,
        "redirect_uris": redirect_uri or None,
        "post_logout_redirect_uris": post_logout_redirect_uri or None,
        "jwks": None if jwks is None else jwks.read(),
        "first_party": first_party,
    }
    changes = {field: value for field, value in given.items() if value is not None}
    if backchannel_logout_uri is not None:
        changes["backchannel_logout_uri"] = backchannel_logout_uri or None
    if not changes:
        raise typer.BadParameter("say what to change, with --name, --scope, --redirect-uri, --jwks: see --help")

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> bool:
        return await services.apps.change(session, tenant, client_id, changes)

    changed = run_in_tenant(slug, work)
    if as_json:
        output.print_json({"tenant": slug, "client_id": client_id, "changed": changed})
    else:
        output.note(f"{client_id} is changed." if changed else f"{client_id} was like that already.")


@app.command()
def delete(
    client_id: _ClientId,
    slug: TenantOption,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete a client for good: its secrets, its tokens, and what people have allowed it."""
    if not yes:
        typer.confirm(f"Delete {client_id} of {slug} for good?", abort=True, err=True)

    async def work(services: "Services", tenant: "Tenant", session: "AsyncSession") -> None:
        await services.apps.delete(session, tenant, client_id)

    run_in_tenant(slug, work)
    if as_json:
        output.print_json({"tenant": slug, "client_id": client_id, "deleted": True})
    else:
        output.note(f"{client_id} is deleted.")


def _print_secret(document: dict[str, Any], message: str, as_json: bool) -> None:
    if as_json:
        output.print_json(document)
        return
    output.print_fields(document)
    output.note(message)


def _document(client: "ClientInfo") -> dict[str, Any]:
    return {
        "client_id": client.client_id,
        "name": client.name,
        "kind": client.kind.name,
        "grant_types": client.grant_types,
        "scopes": client.scopes,
        "default_scopes": client.default_scopes,
        "auth_method": client.auth_method,
        "redirect_uris": client.redirect_uris,
        "post_logout_redirect_uris": client.post_logout_redirect_uris,
        "first_party": client.first_party,
        "secrets": client.secrets,
        "created_at": client.created_at,
        "revoked_at": client.revoked_at,
    }
