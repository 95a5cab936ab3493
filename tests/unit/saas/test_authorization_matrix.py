"""Every route of the API and every page of the console, by everybody: what is let in is what the route declares.

Routes are read from the application, so a new one is tried by itself. One without a declared scope has to be entered.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Final, Literal
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from saas.access.administration import ADMINISTRATIVE
from saas.identity.roles import Role
from saas.services import Services
from saas.web.openapi import openapi_document
from tenants.registry import Tenant
from tests.conftest import MakeTenant
from tests.factories import CALLBACK, AppFactory, MachineFactory
from tests.unit.saas.console.settings_world import administrator
from tests.unit.saas.identity.world import Browser
from tests.unit.saas.oauth.flow import App, tokens_of

API: Final = "/api/v1/"
CONSOLE: Final = "/console"
#: Any token of the tenant will do.
ANY_TOKEN: Final = {("GET", "/api/v1/me"), ("GET", "/api/v1/scopes")}
#: Of a role that allows one thing of the administration.
ONE: Final = "usage:read"
Outcome = Literal["in", "refused", "unknown"]
#: Method, path, and the scopes of which one is needed.
Route = tuple[str, str, frozenset[str]]


@dataclass
class Actor:
    """Somebody with a browser and a token, of which one may be missing. `scopes`: what they hold at the tenant."""

    name: str
    scopes: frozenset[str] | None
    browser: Browser | None = None
    token: str | None = None


#: With their tenant.
Actors = tuple[Tenant, list[Actor]]


def api_routes(app: FastAPI) -> Iterator[Route]:
    for path, operations in openapi_document(app, app.state.catalogue)["paths"].items():
        for method, operation in operations.items():
            alternatives = {scope for each in operation["security"] for scopes in each.values() for scope in scopes}
            yield method.upper(), path, frozenset(alternatives)


def pages(app: FastAPI) -> Iterator[Route]:
    for context in iter_route_contexts(app.routes):
        path, endpoint = context.path or "", context.endpoint
        if path == CONSOLE or path.startswith(f"{CONSOLE}/"):
            needed: frozenset[str] = frozenset(endpoint.scopes)  # type: ignore[union-attr]  # see saas.console.frame
            for method in sorted(set(context.methods or ()) - {"HEAD"}):
                yield method, path, needed or ADMINISTRATIVE


@pytest.fixture(scope="module")
def routes(app: FastAPI) -> list[Route]:
    return list(api_routes(app))


@pytest.fixture(scope="module")
async def actors(
    services: Services, app: FastAPI, make_tenant: MakeTenant
) -> AsyncIterator[tuple[Tenant, list[Actor]]]:
    home, elsewhere = await make_tenant(), await make_tenant()
    every = frozenset(services.catalogue.names)
    harmless = frozenset(scope.name for scope in services.catalogue if not scope.sensitive)
    async with services.database.tenant_session(home) as session:
        await services.roles.create(session, Role("bookkeeper", "", (ONE,)), by=None)
        made = await services.clients.create(session, home, AppFactory(scopes=services.catalogue.names))
    client = App(*made, CALLBACK)
    found = [Actor("anonymous", None)]
    for role, scopes in (("member", harmless), ("bookkeeper", frozenset({ONE})), ("admin", every), ("owner", every)):
        async with administrator(app, services, home, email=f"{role}@people.example", roles=[role]) as browser:
            tokens = await tokens_of(browser, client, scope=" ".join(scopes))
            assert set(tokens["scope"].split()) == scopes
        found.append(Actor(role, scopes, _browser(app, home, browser), tokens["access_token"]))
    async with administrator(app, services, elsewhere, roles=["admin"]) as browser:
        machine = await _machine(services, elsewhere)
        token = await _token(browser, machine, machine.scopes)
    found.append(Actor("another tenant's admin", None, _browser(app, home, browser), token))
    yield home, found
    for actor in found:
        if actor.browser is not None:
            await actor.browser.http.aclose()


def _browser(app: FastAPI, tenant: Tenant, other: Browser) -> Browser:
    """At the tenant, with the session of the other."""
    browser = Browser(app, tenant)
    browser.cookie = other.cookie or ""
    return browser


@dataclass
class Machine:
    """A program that may do everything, and asks for as much of it as it likes."""

    client_id: str
    secret: str
    scopes: frozenset[str]


async def _machine(services: Services, tenant: Tenant) -> Machine:
    scopes = frozenset(name for name in services.catalogue.names if ":" in name)
    async with services.database.tenant_session(tenant) as session:
        made = await services.clients.create(session, tenant, MachineFactory(scopes=sorted(scopes)))
    return Machine(made.client_id, made.secret, scopes)


async def _token(browser: Browser, machine: Machine, scopes: frozenset[str]) -> str:
    form = {"grant_type": "client_credentials", "scope": " ".join(scopes)}
    answer = await browser.http.post("/oauth2/token", data=form, auth=(machine.client_id, machine.secret))
    return str(answer.raise_for_status().json()["access_token"])


def _allowed(scopes: frozenset[str] | None, needed: frozenset[str]) -> Outcome:
    if scopes is None:
        return "unknown"
    return "in" if not needed or scopes & needed else "refused"


def _of_api(answer: httpx.Response) -> Outcome:
    """What comes after the door is of no interest: nobody has the things that are asked for."""
    assert answer.status_code < 500, answer.text
    if answer.status_code == 401:
        return "unknown"
    return "refused" if answer.status_code == 403 and "insufficient-scope" in answer.json()["type"] else "in"


def _of_console(answer: httpx.Response) -> Outcome:
    assert answer.status_code < 500, answer.text
    if answer.is_redirect and answer.headers["location"].startswith("/signin"):
        return "unknown"
    titles = ("This is for administrators", "Your roles do not allow this")
    return "refused" if answer.status_code == 403 and any(title in answer.text for title in titles) else "in"


async def _call(client: httpx.AsyncClient, method: str, path: str, token: str | None) -> httpx.Response:
    url = re.sub(r"\{[\w:]+\}", str(uuid4()), path)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await client.request(method, url, json={} if method in {"POST", "PATCH"} else None, headers=headers)


def test_every_route_declares_its_scopes(app: FastAPI, services: Services, routes: list[Route]) -> None:
    console = list(pages(app))
    assert {(method, path) for method, path, needed in routes if not needed} == ANY_TOKEN
    for _, _, needed in [*routes, *console]:
        assert needed <= set(services.catalogue.names)
    contexts = [each for each in iter_route_contexts(app.routes) if (each.path or "").startswith(API)]
    inside = {(method, each.path) for each in contexts for method in each.methods or ()}
    assert inside == {(method, path) for method, path, _ in routes}
    assert len(console) > 20


async def test_the_api_lets_in_whom_it_says(app: FastAPI, actors: Actors, routes: list[Route]) -> None:
    home, everybody = actors
    wrong = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=home.issuer) as client:
        for actor in everybody:
            for method, path, needed in routes:
                outcome = _of_api(await _call(client, method, path, actor.token))
                if outcome != (expected := _allowed(actor.scopes, needed)):
                    wrong.append(f"{actor.name} is {outcome} at {method} {path}, not {expected}")
    assert not wrong


async def test_a_program_needs_the_scope_and_no_other(
    app: FastAPI, services: Services, actors: Actors, routes: list[Route]
) -> None:
    """With one of the scopes alone, and with all but those."""
    machine, browser = await _machine(services, actors[0]), Browser(app, actors[0])
    tokens: dict[frozenset[str], str] = {}
    wrong = []
    for method, path, needed in routes:
        for scopes in [*(frozenset({scope}) for scope in needed), machine.scopes - needed]:
            if scopes not in tokens:
                tokens[scopes] = await _token(browser, machine, scopes)
            outcome = _of_api(await _call(browser.http, method, path, tokens[scopes]))
            if outcome != (expected := _allowed(scopes, needed)):
                wrong.append(f"{sorted(scopes)} is {outcome} at {method} {path}, not {expected}")
    await browser.http.aclose()
    assert not wrong


async def test_the_console_opens_to_whom_it_says(app: FastAPI, actors: Actors) -> None:
    home, everybody = actors
    wrong = []
    for actor in everybody:
        browser = actor.browser or Browser(app, home)
        for method, path, needed in pages(app):
            # A form without its token: whoever may send it is told that, and nothing happens.
            outcome = _of_console(await browser.http.request(method, re.sub(r"\{[\w:]+\}", str(uuid4()), path)))
            if outcome != (expected := _allowed(actor.scopes, needed)):
                wrong.append(f"{actor.name} is {outcome} at {method} {path}, not {expected}")
        await browser.http.aclose()
    assert not wrong
