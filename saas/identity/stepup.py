"""Who does something sensitive proves again who they are, where they last did so too long ago."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from saas.identity.browser import see_other
from saas.identity.signed_in import SignedIn

CONFIRM: Final = "/confirm"
RECENT: Final = timedelta(minutes=15)


def require_recent(
    request: Request, person: SignedIn, *, form: str | None = None, max_age: timedelta = RECENT
) -> Response | None:
    """None where the person proved who they are within `max_age`; else the way to do so and back, to be returned.

    Pages with a sensitive form ask before they show it. A form that comes too late cannot be kept: its sender is told
    so, and led back to the page with the form, whose path is `form`.

        if (late := require_recent(request, person, form="/console/apps/new")) is not None:
            return late
    """
    if request.app.state.sessions.is_recent(person, max_age):
        return None
    if request.method in {"GET", "HEAD"}:
        back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return see_other(f"{CONFIRM}?{urlencode({'return_to': back}, safe='/')}")
    if form is None:
        raise ValueError("Say on which page the form is: what was sent is lost")
    return see_other(f"{CONFIRM}?{urlencode({'return_to': form, 'unsent': '1'}, safe='/')}")
