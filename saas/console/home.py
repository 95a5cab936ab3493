"""The console's first page: what needs attention."""

from typing import Final

from starlette.responses import Response

from saas.console.frame import CONSOLE, Page, reads, render_console, route


@reads()
async def show_home(page: Page) -> Response:
    return render_console(page, "console/home.html", active="home")


routes: Final = [route(CONSOLE, show_home, "GET")]
