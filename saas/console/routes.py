"""The console's pages, each file's after the other."""

from typing import Final

from starlette.responses import Response

from saas.console import (
    app_forms,
    app_secrets,
    apps,
    audit,
    branding,
    consents,
    domains,
    home,
    keys,
    people,
    person,
    plan,
    roles,
    security,
)
from saas.console.frame import CONSOLE, Page, reads, render_missing, route


@reads()
async def show_missing(page: Page) -> Response:
    return render_missing(page)


#: What comes last takes every address below the console that nothing else has taken.
routes: Final = [
    *home.routes,
    *people.routes,
    *person.routes,
    *roles.routes,
    *app_forms.routes,
    *app_secrets.routes,
    *apps.routes,
    *consents.routes,
    *plan.routes,
    *audit.routes,
    *security.routes,
    *keys.routes,
    *branding.routes,
    *domains.routes,
    route(f"{CONSOLE}/{{path:path}}", show_missing, "GET"),
]
