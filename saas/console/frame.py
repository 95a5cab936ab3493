"""What every page of the console begins and ends with: who looks at it, whether they may, and the frame around it.

    @reads("users:read")
    async def show_people(page: Page) -> Response:
        people = await page.state.users.list(page.session)
        return render_console(page, "console/people.html", active="people", people=people)

    @writes("users:write")
    async def disable(page: Page) -> Response:
        await page.state.users.disable(page.session, page.tenant, page.form.get("email", ""))
        return page.done("/console/people", "Ann has no access any more.")

    routes: Final = [route("/console/people", show_people, "GET"), route("/console/people/disable", disable, "POST")]

What a service raises (a `Problem` or a `TenancyError`) rolls back and becomes a page in the frame, in the error's own
words; a form that shows errors in place catches them itself.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from saas.access.administration import ADMINISTRATIVE
from saas.console import flash
from saas.console.navigation import NAVIGATION
from saas.identity.browser import Endpoint, Form, find_person, safe_target, see_other, to_sign_in
from saas.identity.browser import page as page_on_own_host
from saas.identity.roles import ADMIN, OWNER, holders_of, scopes_of
from saas.identity.signed_in import SignedIn
from saas.web.csrf import read_form
from saas.web.pages import render
from saas.web.problems import Problem
from tenants.errors import CapReached, FeatureNotInPlan, TenancyError
from tenants.registry import Tenant

CONSOLE: Final = "/console"
#: As many as a person would write to.
_MOST_ASKED: Final = 3


@dataclass(slots=True)
class Page:
    """A request for a page of the console, by somebody who may see it. `session` is the tenant's transaction."""

    request: Request
    session: AsyncSession
    person: SignedIn
    #: What the person's roles allow.
    scopes: frozenset[str]
    #: The form that was sent, checked: the last value of each field.
    form: Form = field(default_factory=dict)

    @property
    def tenant(self) -> Tenant:
        tenant: Tenant = self.request.scope["tenant"]
        return tenant

    @property
    def state(self) -> Any:
        """The services, each under its name in `saas.services.Services`."""
        return self.request.app.state

    @property
    def query(self) -> Form:
        return self.request.query_params

    def may(self, *scopes: str) -> bool:
        """Whether the person holds one of them."""
        return not self.scopes.isdisjoint(scopes)

    async def every(self, name: str) -> list[str]:
        """All values of a field of the form that was sent: of checkboxes that share a name, say."""
        body = (await self.request.body()).decode()
        return [value for key, value in parse_qsl(body, keep_blank_values=True) if key == name]

    def done(self, path: str, text: str, kind: flash.Kind = "good") -> Response:
        """After a form: on to `path`, whose page says `text` once."""
        response = see_other(path)
        flash.leave(self.request, response, text, kind)
        return response


Act = Callable[[Page], Awaitable[Response]]


class Elsewhere(Exception):
    """There is no page for whoever asked: `response` is what they get."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


async def open_page(request: Request, session: AsyncSession, *scopes: str) -> Page:
    """The page, for a person who holds one of `scopes`; any of the administration's, where none is given.

    For what needs transactions of its own; else see `reads` and `writes`. Raises Elsewhere, whose response leads to
    the sign-in, or says whom to ask.
    """
    person = await find_person(request, session)
    if person is None:
        raise Elsewhere(_sign_in(request))
    page = Page(request, session, person, await scopes_of(session, person.roles, request.app.state.catalogue))
    if not page.may(*(scopes or ADMINISTRATIVE)):
        raise Elsewhere(await _closed(page, scopes))
    return page


def reads(*scopes: str, detached: bool = False) -> Callable[[Act], Endpoint]:
    """The endpoint of a page, for people who hold one of `scopes`: `act` in one transaction.

    `detached`: the transaction has ended when `act` begins, which has its own; for what takes long, or needs the
    registry, too: nobody should hold one connection and wait for another.
    """
    return lambda act: _endpoint(act, scopes, form=False, detached=detached)


def writes(*scopes: str, detached: bool = False) -> Callable[[Act], Endpoint]:
    """The same for a form that a page has sent: it is checked and stands in `page.form`; commits before the answer."""
    return lambda act: _endpoint(act, scopes, form=True, detached=detached)


def route(path: str, endpoint: Endpoint, *methods: str) -> Route:
    """A route on the tenant's own hosts, whose errors are pages of the console."""
    return page_on_own_host(path, endpoint, *methods)


def render_console(
    page: Page, name: str, /, status: int = 200, *, active: str = "", scripts: bool = False, **context: Any
) -> HTMLResponse:
    """The template `name`, which extends console/frame.html. `active` is the key of its entry in the navigation.

    A template finds besides its own context: `may` (asks for scopes), `person`, `csrf`, `tenant` and `branding`.
    """
    message = flash.find(page.request)
    response = render(
        page.request,
        name,
        status,
        scripts=scripts,
        active=active,
        flash=message,
        may=page.may,
        navigation=[entry for entry in NAVIGATION if page.may(*(entry.scopes or ADMINISTRATIVE))],
        person=page.person,
        **context,
    )
    if message is not None:
        flash.forget(page.request, response)
    return response


def render_missing(page: Page) -> HTMLResponse:
    """404 inside of the console."""
    return render_console(
        page,
        "console/problem.html",
        404,
        title="This page does not exist",
        advice="What it showed may be deleted, or the address mistyped.",
        plan=False,
    )


def _endpoint(act: Act, scopes: tuple[str, ...], *, form: bool, detached: bool = False) -> Endpoint:
    @wraps(act)
    async def endpoint(request: Request) -> Response:
        await request.body()  # before a connection is taken: who sends slowly holds none
        page: Page | None = None
        try:
            async with request.app.state.database.tenant_session(request.scope["tenant"]) as session:
                page = await open_page(request, session, *scopes)
                if form:
                    page.form = await read_form(request)
                if not detached:
                    return await act(page)
            return await act(page)
        except Elsewhere as elsewhere:
            return elsewhere.response
        except (Problem, TenancyError) as error:
            if page is None or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            return _problem(page, error)

    endpoint.scopes = scopes  # type: ignore[attr-defined]  # for whoever asks which pages there are for whom
    return endpoint


def _problem(page: Page, error: Problem | TenancyError) -> Response:
    if error.status == HTTPStatus.NOT_FOUND:
        return render_missing(page)
    return render_console(
        page,
        "console/problem.html",
        error.status,
        title=error.title,
        advice=str(error),
        plan=isinstance(error, (CapReached, FeatureNotInPlan)),
    )


def _sign_in(request: Request) -> Response:
    """And back; not to where only forms are sent."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return to_sign_in((safe_target(here) if request.method in {"GET", "HEAD"} else None) or CONSOLE)


async def _closed(page: Page, scopes: tuple[str, ...]) -> Response:
    """403: what they lack, in words, and who could give it to them."""
    words = [scope.description for scope in page.state.catalogue if scope.name in scopes]
    ask = await holders_of(page.session, (OWNER, ADMIN), _MOST_ASKED)
    name = "console/forbidden.html" if page.may(*ADMINISTRATIVE) else "console/closed.html"
    return render_console(page, name, 403, words=words, ask=ask)
