"""Which apps people have let in, across all people; and how an administrator puts one out."""

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.responses import Response

from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.oauth.errors import ClientNotFound
from saas.oauth.registered import ClientInfo, read_client

HERE: Final = f"{CONSOLE}/consents"
_PER_PAGE: Final = 25
_MAX_QUERY: Final = 200


@reads("consents:read")
async def show_consents(page: Page) -> Response:
    asked = {name: page.query.get(name, "")[:_MAX_QUERY].strip() for name in ("app", "q")}
    asked = {name: text for name, text in asked.items() if text and text.isprintable()}
    cursor = page.query.get("cursor")
    found = await page.state.connected_apps.across(
        page.session, limit=_PER_PAGE, cursor=cursor, client_id=asked.get("app"), person=asked.get("q")
    )
    return render_console(
        page,
        "console/consents.html",
        active="consents",
        connected=found.items,
        words={scope.name: scope for scope in page.state.catalogue},
        app=await _app(page, asked.get("app")),
        asked=asked,
        here=_url(asked),
        first=_url(asked) if cursor else None,
        next=_url({**asked, "cursor": found.next_cursor}) if found.next_cursor else None,
    )


@writes("consents:write")
async def revoke(page: Page) -> Response:
    back = _url({name: page.form[name] for name in ("app", "q") if page.form.get(name)})
    try:
        user_id = UUID(page.form.get("user", ""))
    except ValueError:
        return page.done(back, "This person has not let this app in, or not any more.", "info")
    if await page.state.connected_apps.revoke(page.session, page.tenant, user_id, page.form.get("client", "")):
        return page.done(back, "The app is put out. It will ask this person again when it comes back.")
    return page.done(back, "This person has not let this app in, or not any more.", "info")


async def _app(page: Page, client_id: str | None) -> ClientInfo | None:
    """What the list is narrowed to."""
    try:
        return None if client_id is None else await read_client(page.session, client_id)
    except ClientNotFound:
        return None


def _url(query: dict[str, str]) -> str:
    return f"{HERE}?{urlencode(query)}" if query else HERE


routes: Final = [route(HERE, show_consents, "GET"), route(f"{HERE}/revoke", revoke, "POST")]
