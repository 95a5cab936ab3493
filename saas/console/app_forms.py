"""An app is made, or changed: the questions that its kind needs, and what is wrong with the answers, in place."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.responses import Response

from saas.access.scopes import Scope
from saas.authserver import assertion
from saas.authserver.scopes import IDENTITY_SCOPES
from saas.console.apps import HERE, ONE, client_id_of
from saas.console.frame import Page, reads, render_console, route, writes
from saas.console.rights import authority_of
from saas.console.told_once import leave_secret
from saas.identity.errors import BeyondAuthority
from saas.identity.stepup import require_recent
from saas.oauth.definition import ClientDefinition
from saas.oauth.errors import InvalidClientDefinition
from saas.oauth.kinds import KINDS, Kind, problem_with_redirect
from saas.oauth.registered import ClientInfo, read_client
from tenants.errors import CapReached

NEW: Final = f"{HERE}/new"
_URIS: Final = ("redirect_uris", "post_logout_redirect_uris")
_MAX_TEXT: Final = 40_000
#: What most apps of people need.
_USUAL: Final = ("openid", "profile", "email")


@dataclass(slots=True)
class Typed:
    """What stands in the form's fields: text as it was typed, and what is ticked."""

    name: str = ""
    redirect_uris: str = ""
    post_logout_redirect_uris: str = ""
    backchannel_logout_uri: str = ""
    jwks: str = ""
    by_keys: bool = False
    first_party: bool = False
    scopes: list[str] = field(default_factory=list)


@reads("clients:write")
async def show_new(page: Page) -> Response:
    """Which kind, first; then what this kind needs."""
    if (late := require_recent(page.request, page.person)) is not None:
        return late
    kind = KINDS.get(page.query.get("kind", ""))
    if kind is None:
        return render_console(page, "console/app_kinds.html", active="apps", kinds=list(KINDS.values()))
    return _form_page(page, kind, Typed(scopes=list(_USUAL) if kind.for_people else []))


@writes("clients:write")
async def create(page: Page) -> Response:
    kind = KINDS.get(page.form.get("kind", ""), KINDS["web"])
    if (late := require_recent(page.request, page.person, form=f"{NEW}?kind={kind.name}")) is not None:
        return late
    typed = await _typed(page)
    keys = typed.by_keys and not kind.for_people
    fields = _fields(kind, typed, keys=keys)
    if keys:
        fields["auth_method"] = assertion.METHOD
    try:
        definition = ClientDefinition.of_kind(kind.name, **fields)
        made = await page.state.clients.create(page.session, page.tenant, definition, authority_of(page))
    except (InvalidClientDefinition, BeyondAuthority, CapReached) as error:
        return _form_page(page, kind, typed, errors=_errors(kind, typed, error))
    response = page.done(f"{HERE}/{made.client_id}", f"{typed.name.strip()} is made.")
    if made.secret:
        leave_secret(page.request, response, made.client_id, made.secret)
    return response


@reads("clients:write")
async def show_edit(page: Page) -> Response:
    client = await read_client(page.session, client_id_of(page))
    if client.jwks is not None and (late := require_recent(page.request, page.person)) is not None:
        return late
    typed = Typed(
        name=client.name,
        redirect_uris="\n".join(client.redirect_uris),
        post_logout_redirect_uris="\n".join(client.post_logout_redirect_uris),
        backchannel_logout_uri=client.backchannel_logout_uri or "",
        first_party=client.first_party,
        scopes=list(client.scopes),
    )
    return _form_page(page, client.kind, typed, client)


@writes("clients:write")
async def save(page: Page) -> Response:
    client = await read_client(page.session, client_id_of(page))
    here = f"{HERE}/{client.client_id}"
    late = require_recent(page.request, page.person, form=f"{here}/edit") if client.jwks is not None else None
    if late is not None:
        return late
    typed = await _typed(page)
    fields = _fields(client.kind, typed, keys=bool(typed.jwks.strip()))
    try:
        await page.state.apps.change(page.session, page.tenant, client.client_id, fields, authority_of(page))
    except (InvalidClientDefinition, BeyondAuthority) as error:
        return _form_page(page, client.kind, typed, client, _errors(client.kind, typed, error))
    return page.done(here, f"{typed.name.strip()} is saved.")


async def _typed(page: Page) -> Typed:
    text = {name: page.form.get(name, "")[:_MAX_TEXT] for name in (*_URIS, "name", "backchannel_logout_uri", "jwks")}
    return Typed(
        **text,
        by_keys=page.form.get("proof") == "keys",
        first_party=page.form.get("first_party") == "yes",
        scopes=await page.every("scopes"),
    )


def _fields(kind: Kind, typed: Typed, *, keys: bool) -> dict[str, Any]:
    """Of a definition: what its kind is asked for, and nothing else."""
    fields: dict[str, Any] = {"name": typed.name, "scopes": typed.scopes}
    if kind.redirects:
        fields |= {name: _lines(getattr(typed, name)) for name in _URIS}
    if kind.name == "web":
        fields["backchannel_logout_uri"] = typed.backchannel_logout_uri.strip() or None
    if kind.for_people:
        fields["first_party"] = typed.first_party
    if keys:
        fields["jwks"] = typed.jwks
    return fields


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _errors(kind: Kind, typed: Typed, error: InvalidClientDefinition | BeyondAuthority | CapReached) -> dict[str, str]:
    """By field; of addresses, by line."""
    if isinstance(error, BeyondAuthority):
        return {"scopes": f"{error.detail}."}
    if isinstance(error, CapReached):
        return {"form": f"{error}."}
    errors = {name: _sentence(text) for name, text in error.problems.items()} or {"form": _sentence(error.detail)}
    if "name" in errors and not typed.name.strip():
        errors["name"] = "Give it a name that people will recognise."
    if "scopes" in errors and not typed.scopes:
        errors["scopes"] = "Choose at least one thing that it may do."
    for name in _URIS:
        if name in errors and (wrong := _wrong_lines(getattr(typed, name), kind)):
            errors[name] = wrong
    if "redirect_uris" in errors and not typed.redirect_uris.strip():
        errors["redirect_uris"] = "Enter at least one address."
    return errors


def _wrong_lines(text: str, kind: Kind) -> str:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        problem = problem_with_redirect(line.strip(), kind.name) if line.strip() else None
        if problem is not None:
            found.append(f"Line {number}: {problem}.")
    return " ".join(found)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _form_page(
    page: Page,
    kind: Kind,
    typed: Typed,
    client: ClientInfo | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    return render_console(
        page,
        "console/app_form.html",
        422 if errors else 200,
        active="apps",
        scripts=True,
        kind=kind,
        app=client,
        back=HERE if client is None else f"{HERE}/{client.client_id}",
        typed=typed,
        scopes=_choices(page, kind),
        errors=errors or {},
    )


def _choices(page: Page, kind: Kind) -> list[Scope]:
    """A machine has no person whose name and address it could see. What it may not be given is not there to choose."""
    if kind.for_people:
        return list(page.state.catalogue)
    by = authority_of(page)
    return [scope for scope in page.state.catalogue if scope.name not in IDENTITY_SCOPES and by.covers([scope.name])]


routes: Final = [
    route(NEW, show_new, "GET"),
    route(NEW, create, "POST"),
    route(f"{ONE}/edit", show_edit, "GET"),
    route(f"{ONE}/edit", save, "POST"),
]
