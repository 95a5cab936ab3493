"""The apps of a tenant: the list, and one of them with all that belongs to it."""

from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from saas.console.app_trial import trial_of
from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.console.rights import authority_of
from saas.console.told_once import find_secret, forget_secret
from saas.identity.stepup import require_recent
from saas.kit.clock import utc_now
from saas.oauth.authority import may_have
from saas.oauth.grants.connections import Held, held_by
from saas.oauth.registered import page_of_clients, read_client

HERE: Final = f"{CONSOLE}/apps"
ONE: Final = f"{HERE}/{{client_id}}"
_PER_PAGE: Final = 25
_MAX_QUERY: Final = 200


def client_id_of(page: Page) -> str:
    return str(page.request.path_params["client_id"])


@reads("clients:read")
async def show_apps(page: Page) -> Response:
    query = page.query.get("q", "")[:_MAX_QUERY].strip()
    query = query if query.isprintable() else ""
    cursor = page.query.get("cursor")
    found = await page_of_clients(page.session, limit=_PER_PAGE, cursor=cursor, query=query)
    asked = {"q": query} if query else {}
    return render_console(
        page,
        "console/apps.html",
        active="apps",
        apps=found.items,
        held=await held_by(page.session, [app.id for app in found.items], utc_now()),
        nothing=Held(),
        count=await page.state.clients.count(page.session),
        cap=page.tenant.plan.clients,
        query=query,
        first=_url(asked) if cursor else None,
        next=_url({**asked, "cursor": found.next_cursor}) if found.next_cursor else None,
    )


@reads("clients:read")
async def show_app(page: Page) -> Response:
    client = await read_client(page.session, client_id_of(page))
    secret = find_secret(page.request, client.client_id)
    response = render_console(
        page,
        "console/app.html",
        active="apps",
        scripts=True,
        app=client,
        here=f"{HERE}/{client.client_id}",
        secret=secret,
        editable=page.may("clients:write"),
        within=may_have(authority_of(page), client),
        scopes=[scope for scope in page.state.catalogue if scope.name in client.scopes],
        held=(await held_by(page.session, [client.id], utc_now())).get(client.id, Held()),
        trial=trial_of(client, page.tenant.issuer),
    )
    if secret is not None:
        forget_secret(page.request, response)
    return response


@writes("clients:write")
async def revoke_tokens(page: Page) -> Response:
    client = await read_client(page.session, client_id_of(page))
    consents = page.form.get("consents") == "yes"
    await page.state.apps.revoke_tokens(page.session, page.tenant, client.client_id, consents=consents)
    again = " People will be asked again whether they let it in." if consents else ""
    return page.done(f"{HERE}/{client.client_id}", f"All tokens that {client.name} had are revoked.{again}")


@reads("clients:write")
async def show_delete(page: Page) -> Response:
    if (late := require_recent(page.request, page.person)) is not None:
        return late
    client = await read_client(page.session, client_id_of(page))
    held = (await held_by(page.session, [client.id], utc_now())).get(client.id, Held())
    here = f"{HERE}/{client.client_id}"
    return render_console(page, "console/app_delete.html", active="apps", app=client, here=here, held=held)


@writes("clients:write")
async def delete(page: Page) -> Response:
    client = await read_client(page.session, client_id_of(page))
    late = require_recent(page.request, page.person, form=f"{HERE}/{client.client_id}/delete")
    if late is not None:
        return late
    await page.state.apps.delete(page.session, page.tenant, client.client_id)
    return page.done(HERE, f"{client.name} is deleted.")


def _url(query: dict[str, str]) -> str:
    return f"{HERE}?{urlencode(query)}" if query else HERE


#: Whatever is below HERE by a name of its own comes before these.
routes: Final = [
    route(HERE, show_apps, "GET"),
    route(ONE, show_app, "GET"),
    route(f"{ONE}/revoke-tokens", revoke_tokens, "POST"),
    route(f"{ONE}/delete", show_delete, "GET"),
    route(f"{ONE}/delete", delete, "POST"),
]
