"""People, browsers and apps of third parties, on the real servers: what tests of the code flow are written with."""

import asyncio
import base64
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from uuid import UUID

import httpx
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import event, text

from saas.access.scopes import Scope as AccessScope
from saas.access.scopes import ScopeCatalogue
from saas.identity.users import User
from saas.oauth.clients import ClientService, NewClient
from saas.oauth.connected_apps import ConnectedAppService
from saas.oauth.grants.endings import Endings
from saas.oauth.grants.revocations import Revocations
from saas.oauth.routes import routes
from saas.oauth.scopes import SCOPES
from saas.oauth.store import GrantStorage
from saas.services import Services
from saas.settings import Settings
from tenants.registry import Tenant
from tests.factories import CALLBACK, AppFactory, AuthorizationRequestFactory, PersonFactory
from tests.unit.saas.identity.world import Browser, build_world
from tests.unit.saas.identity.world import World as People

AUTHORIZE = "/oauth2/authorize"
TOKEN = "/oauth2/token"
CATALOGUE = ScopeCatalogue(
    [
        *SCOPES,
        AccessScope("projects:read", "See projects", "Projects"),
        AccessScope("projects:write", "Change projects", "Projects"),
        AccessScope("billing:read", "See invoices", "Billing", sensitive=True),
    ]
)
ALL = " ".join(CATALOGUE.names)


@dataclass(frozen=True)
class App:
    """A client of somebody's, with the verifier and the state of its present request."""

    client_id: str
    secret: str
    redirect_uri: str
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(8))

    @property
    def challenge(self) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def request(self, **changed: str | None) -> dict[str, str]:
        """The parameters of its authorization request; None leaves one out."""
        own = {"client_id": self.client_id, "redirect_uri": self.redirect_uri, "state": self.state}
        parameters = AuthorizationRequestFactory(**{**own, "code_challenge": self.challenge, **changed})
        return {name: value for name, value in parameters.items() if value is not None}

    def redemption(self, code: str, /, **changed: str | None) -> dict[str, str]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
            "client_id": self.client_id,
            "client_secret": self.secret,
            **changed,
        }
        return {name: value for name, value in form.items() if value}

    def refresh(self, refresh_token: str, /, **changed: str | None) -> dict[str, str]:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": self.client_id,
            "client_secret": self.secret,
            **changed,
        }
        return {name: value for name, value in form.items() if value}


@dataclass
class Flow:
    people: People
    clients: ClientService
    settings: Settings
    endings: Endings
    #: What Valkey has been told of: (tenant, `jti` or `gid`).
    told: list[tuple[UUID, str]]
    #: While it holds something, Valkey cannot be told of anything.
    gone: list[str]

    def browser(self, tenant: Tenant) -> Browser:
        return self.people.browser(tenant)

    async def person(
        self, tenant: Tenant, roles: Sequence[str] = ("member",), email: str | None = None
    ) -> tuple[User, Browser]:
        """Somebody who is signed in."""
        user = await self.people.add_user(tenant, email or PersonFactory()["email"], None, roles)
        browser = self.browser(tenant)
        browser.cookie = await self.session_of(tenant, user.id)
        return user, browser

    async def session_of(self, tenant: Tenant, user_id: UUID) -> str:
        async with self.people.services.database.tenant_session(tenant) as session:
            return await self.people.sessions.start(
                session, tenant, user_id, amr=["pwd"], address="127.0.0.1", user_agent="test"
            )

    async def app(self, tenant: Tenant, **changed: Any) -> App:
        """A confidential client with every grant and scope; `changed`: of its definition."""
        definition = AppFactory(**{"scopes": CATALOGUE.names, **changed})
        async with self.people.services.database.tenant_session(tenant) as session:
            made: NewClient = await self.clients.create(session, tenant, definition)
        return App(made.client_id, made.secret, next(iter(definition.redirect_uris), ""))

    async def execute(self, tenant: Tenant, statement: str, **parameters: object) -> Any:
        """Of the first row, or the number of rows."""
        async with self.people.services.database.tenant_session(tenant) as session:
            result: Any = await session.execute(text(statement), parameters)
            return result.first() if result.returns_rows else result.rowcount


@asynccontextmanager
async def statements_of(flow: Flow, sent: list[str]) -> AsyncIterator[None]:
    """What the driver sends within the block, in its order."""
    drivers: set[Any] = set()

    def log(query: Any) -> None:
        sent.append(query.query)

    def watch(connection: Any, *_: object) -> None:
        driver = connection.driver_connection
        if driver not in drivers:
            drivers.add(driver)
            driver.add_query_logger(log)

    pool = flow.people.services.database.engine.sync_engine.pool
    event.listen(pool, "checkout", watch)
    try:
        yield
        await asyncio.sleep(0)  # the driver tells its loggers at the next turn of the loop
    finally:
        event.remove(pool, "checkout", watch)
        for driver in drivers:
            driver.remove_query_logger(log)


def answer_of(response: httpx.Response, redirect_uri: str = CALLBACK) -> dict[str, str]:
    """The parameters with which a client gets its answer; the redirect must be to its address."""
    assert response.status_code in {302, 303}, response.text
    location = response.headers["location"]
    assert location.startswith(redirect_uri), location
    query = urlsplit(location).query
    assert len(parse_qs(query)) == len(parse_qsl(query))
    return dict(parse_qsl(query))


async def ask(browser: Browser, app: App, **changed: str | None) -> httpx.Response:
    return await browser.get(f"{AUTHORIZE}?{urlencode(app.request(**changed))}")


async def allow(browser: Browser, app: App, **changed: str | None) -> httpx.Response:
    """Ask, and press Allow."""
    page = await ask(browser, app, **changed)
    assert page.status_code == 200, (page.status_code, page.headers)
    return await decide(browser, page)


async def decide(browser: Browser, page: httpx.Response, decision: str = "allow", **changed: str) -> httpx.Response:
    hidden = page.text.partition('name="scopes" value="')[2].partition('"')[0]
    fields = {"scopes": hidden, "decision": decision, **changed}
    return await browser.post(page.request.url.raw_path.decode(), **fields)


async def code_of(browser: Browser, app: App, **changed: str | None) -> str:
    """A code, by whatever it takes."""
    response = await ask(browser, app, **changed)
    if response.status_code == 200:
        response = await decide(browser, response)
    return answer_of(response, changed.get("redirect_uri") or app.redirect_uri)["code"]


async def tokens_of(browser: Browser, app: App, **changed: str | None) -> dict[str, Any]:
    """The answer to the redemption of a new code."""
    response = await browser.http.post(TOKEN, data=app.redemption(await code_of(browser, app, **changed)))
    assert response.status_code == 200, response.text
    tokens: dict[str, Any] = response.json()
    return tokens


def claims_of(token: str) -> dict[str, Any]:
    """Of a JWT, believed as it is."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def build_flow(services: Services, settings: Settings) -> Flow:
    told: list[tuple[UUID, str]] = []
    gone: list[str] = []

    async def tell(tenant_id: UUID, revoked: str, _: datetime) -> None:
        if gone:
            raise RedisConnectionError(gone[0])
        told.append((tenant_id, revoked))

    people = build_world(services, settings)
    clients = ClientService(services.database, CATALOGUE, services.changes)
    revocations = Revocations(tell)
    endings = Endings(revocations, settings.tokens.access_ttl)
    state = people.app.state
    state.keys, state.clients, state.catalogue = services.keys, clients, CATALOGUE
    state.sealer, state.verifier = services.sealer, services.verifier
    state.grants = GrantStorage(services.database, CATALOGUE, services.sealer, revocations, settings.tokens.access_ttl)
    state.connected_apps = ConnectedAppService(clients, CATALOGUE, endings)
    state.hooks.user_disabled.append(endings.end_all)
    people.app.router.routes.extend(routes)
    return Flow(people, clients, settings, endings, told, gone)
