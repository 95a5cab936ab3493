"""A new secret for an app, while the old one works on for as long as its administrator needs to put the new one in."""

from datetime import timedelta
from typing import Final

from starlette.responses import Response

from saas.console.apps import HERE, ONE, client_id_of
from saas.console.frame import Page, reads, render_console, route, writes
from saas.console.rights import authority_of
from saas.console.told_once import leave_secret
from saas.identity.stepup import require_recent
from saas.oauth.errors import InvalidClientDefinition, TooManySecrets
from saas.oauth.registered import ClientInfo, read_client

#: Hours that the old secret goes on, and how that is said.
_OVERLAPS: Final = (
    ("24", "for a day"),
    ("168", "for a week"),
    ("720", "for 30 days"),
    ("1", "for an hour"),
    ("0", "no longer: it may be known to others"),
)


@reads("clients:write")
async def show_rotate(page: Page) -> Response:
    if (late := require_recent(page.request, page.person)) is not None:
        return late
    return _rotate_page(page, await read_client(page.session, client_id_of(page)))


@writes("clients:write")
async def rotate(page: Page) -> Response:
    client = await read_client(page.session, client_id_of(page))
    here = f"{HERE}/{client.client_id}"
    if (late := require_recent(page.request, page.person, form=f"{here}/secret")) is not None:
        return late
    hours = page.form.get("overlap", "")
    if hours not in dict(_OVERLAPS):
        return _rotate_page(page, client, {"overlap": "Choose how long the old secret works."})
    overlap = timedelta(hours=int(hours))
    try:
        secret = await page.state.clients.rotate_secret(
            page.session, page.tenant, client.client_id, overlap, authority_of(page)
        )
    except (InvalidClientDefinition, TooManySecrets) as error:
        return _rotate_page(page, client, {"form": f"{error.detail}."})
    response = page.done(here, f"{client.name} has a new secret. The old one works {dict(_OVERLAPS)[hours]}.")
    leave_secret(page.request, response, client.client_id, secret)
    return response


def _rotate_page(page: Page, client: ClientInfo, errors: dict[str, str] | None = None) -> Response:
    return render_console(
        page,
        "console/app_secret.html",
        422 if errors else 200,
        active="apps",
        app=client,
        here=f"{HERE}/{client.client_id}",
        overlaps=_OVERLAPS,
        errors=errors or {},
    )


routes: Final = [route(f"{ONE}/secret", show_rotate, "GET"), route(f"{ONE}/secret", rotate, "POST")]
