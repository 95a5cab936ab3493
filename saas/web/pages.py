"""Pages for people: templates, and the headers that they are sent with.

A template lies beside the route that renders it, in `templates/`; its name is its path: `identity/signin.html` is
saas/identity/templates/signin.html. The comment at its top lists what it must be given.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Scope

from saas.kit.clock import utc_now
from saas.web.assets import asset, version
from saas.web.branding import branding_of
from saas.web.csrf import FIELD, Csrf
from saas.web.problems import PageError

_SAAS: Final = Path(__file__).parents[1]
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'self'"
)
_HEADERS: Final = {
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it a browser sends our own forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")


def render(
    request: HTTPConnection | Scope,
    name: str,
    /,
    status: int = 200,
    *,
    form_action: tuple[str, ...] = (),
    scripts: bool = False,
    **context: Any,
) -> HTMLResponse:
    """The page `name`; the template's own comment says what `context` must hold.

    `form_action` are addresses that the page's form may end up at by redirects, such as a client's redirect URI.
    `scripts`: the page may load scripts, from files of ours alone.
    """
    scope: Scope = request.scope if isinstance(request, HTTPConnection) else request
    form = _FormToken(scope)
    html = _environment.get_template(name).render(
        tenant=scope.get("tenant"), branding=branding_of(scope), csrf=form, **context
    )
    response = HTMLResponse(html, status, _HEADERS)
    policy = f"script-src 'self'; {_POLICY}" if scripts else _POLICY
    response.headers["Content-Security-Policy"] = " ".join((policy, *_form_sources(form_action)))
    if form.set_cookie:
        response.headers.append("Set-Cookie", form.set_cookie)
    return response


def go_on(request: HTTPConnection | Scope, url: str) -> HTMLResponse:
    """Send the browser from a form to `url`, where a redirect might not get there.

    Chrome holds every redirect that follows a form to the form-action of its page. After sign-in the way leads through
    the authorization endpoint to a client's host, and from there to any other, which the sign-in page cannot know;
    this page ends the form's navigation and begins another. `url` is one that the caller trusts.
    """
    return render(request, "web/continue.html", url=url)


def error_page(
    request: HTTPConnection | Scope, status: int, title: str, advice: str, *, reason: str | None = None
) -> HTMLResponse:
    """`title` says what is wrong, `advice` what to do now, `reason` in whoever's words why it is so."""
    scope: Scope = request.scope if isinstance(request, HTTPConnection) else request
    request_id = scope.get("request_id")
    return render(scope, "web/error.html", status, title=title, advice=advice, reason=reason, request_id=request_id)


async def handle_page_error(request: Request, error: Exception) -> Response:
    """The exception handler of PageError."""
    if not isinstance(error, PageError):
        raise error
    response = error_page(request, error.status, error.title, error.detail)
    response.headers.update(error.headers)
    return response


class _FormToken:
    """The page's form token: issued when a template first asks, so that a page without a form sets no cookie."""

    name = FIELD

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._token = ""
        self.set_cookie: str | None = None

    @property
    def token(self) -> str:
        if not self._token:
            csrf: Csrf = self._scope["app"].state.csrf
            self._token, self.set_cookie = csrf.issue(HTTPConnection(self._scope))
        return self._token


def _form_sources(targets: tuple[str, ...]) -> list[str]:
    """CSP sources for addresses that a form is redirected to.

    A client's redirect endpoint may send the browser on, to hosts of its own choice, and Chrome holds these hops to the
    directive too: so a web address stands for its scheme, and for https in any case.
    """
    schemes = {urlsplit(target).scheme for target in targets}
    if schemes & {"http", "https"}:
        schemes.add("https")
    return sorted(f"{scheme}:" for scheme in schemes if _SCHEME.fullmatch(scheme))


def _load_template(name: str) -> str | None:
    package, _, file = name.rpartition("/")
    path = _SAAS / package / "templates" / file
    return path.read_text() if path.is_file() else None


def _ago(moment: datetime) -> str:
    """In words, since a page does not know the reader's time zone."""
    minutes = int((utc_now() - moment).total_seconds() // 60)
    for unit, length, until in (("minute", 1, 60), ("hour", 60, 24), ("day", 1440, 30)):
        count = minutes // length
        if count < 1:
            return "just now"
        if count < until:
            return f"{count} {unit}{'s' * (count > 1)} ago"
    return f"on {_day(moment)}"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y}"


def _grouped(items: list[Any], attribute: str) -> Mapping[str, list[Any]]:
    """By an attribute, in the order in which its values first appear."""
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(_environment.getattr(item, attribute), []).append(item)
    return groups


_environment: Final = Environment(
    loader=FunctionLoader(_load_template),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    cache_size=-1,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {"ago": _ago, "day": _day, "grouped": _grouped, "version": lambda text: version(text.encode())}
_environment.globals["asset"] = asset
