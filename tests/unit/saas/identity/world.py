"""The pages of identity on the real servers, and browsers that walk them."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.applications import Starlette
from starlette.middleware import Middleware

from saas.identity import mailbox_pages, pages
from saas.identity.apps import ConnectedApp
from saas.identity.cookies import cookie_name
from saas.identity.factors import FactorService
from saas.identity.hooks import EndedSession, Hooks
from saas.identity.links import LinkService
from saas.identity.passkeys import PasskeyService
from saas.identity.passwords import hash_password
from saas.identity.policy import Policy, PolicyService
from saas.identity.sessions import SessionService
from saas.identity.throttle import Allowance, Throttle
from saas.identity.users import User, UserService
from saas.kit.background import Background
from saas.kit.clock import utc_now
from saas.kit.mail import Message
from saas.ratelimit.decision import Rate
from saas.ratelimit.limiter import Subject
from saas.services import Services
from saas.settings import Settings, decode_key
from saas.web.csrf import Csrf
from saas.web.errors import render_tenancy_error
from saas.web.headers import AnswerHeadersMiddleware
from saas.web.middleware import RequestContextMiddleware
from saas.web.pages import handle_page_error
from saas.web.problems import PageError
from tenants.middleware import TenantMiddleware
from tenants.registry import Tenant
from tests.factories import PersonFactory

PASSWORD = "seven green lamps"
OTHER_PASSWORD = "nine quiet rivers"
EMAIL = "ann@people.example"


def comparable(answer: httpx.Response) -> dict[str, str]:
    """The headers, without those that differ from one answer to the next."""
    return {name: text for name, text in answer.headers.items() if name not in {"x-request-id", "content-length"}}


class ChosenClock:
    def __init__(self) -> None:
        self.ahead = timedelta(0)
        #: Where time stands still.
        self.fixed: datetime | None = None

    def __call__(self) -> datetime:
        return (self.fixed or utc_now()) + self.ahead


@dataclass
class Outbox:
    """A mailer that keeps what it is given."""

    sent: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def link(self) -> str:
        """The path of the link in the newest message."""
        found = re.findall(r"https?://[^/\s]+(/\S+)", self.sent[-1].text)
        return str(found[0])


@dataclass
class Apps:
    """Connected apps, of users by id."""

    of: dict[UUID, list[ConnectedApp]] = field(default_factory=lambda: defaultdict(list))

    async def list(self, session: AsyncSession, user_id: UUID) -> Sequence[ConnectedApp]:
        return self.of[user_id]

    async def revoke(self, session: AsyncSession, tenant: Tenant, user_id: UUID, client_id: str) -> bool:
        before = len(self.of[user_id])
        self.of[user_id] = [app for app in self.of[user_id] if app.id != client_id]
        return len(self.of[user_id]) < before

    async def name_at(self, tenant: Tenant, path: str) -> str | None:
        return "Notes" if "client_id=app_notes" in path else None


@dataclass
class Told:
    """What the hooks have heard."""

    ended: list[EndedSession] = field(default_factory=list)
    disabled: list[UUID] = field(default_factory=list)
    roles_changed: list[UUID] = field(default_factory=list)
    reset: list[UUID] = field(default_factory=list)

    def hooks(self) -> Hooks:
        async def sessions_ended(_: AsyncSession, __: Tenant, ended: Sequence[EndedSession]) -> None:
            self.ended += ended

        async def disabled(_: AsyncSession, __: Tenant, user_id: UUID) -> None:
            self.disabled.append(user_id)

        async def roles_changed(_: AsyncSession, __: Tenant, user_id: UUID) -> None:
            self.roles_changed.append(user_id)

        async def reset(_: AsyncSession, __: Tenant, user_id: UUID) -> None:
            self.reset.append(user_id)

        return Hooks([sessions_ended], [disabled], [roles_changed], password_reset=[reset])


class Browser:
    """Follows no redirect by itself; keeps cookies; fills in the form token of the page that it looked at last."""

    def __init__(self, app: Starlette, tenant: Tenant, address: str = "127.0.0.1") -> None:
        transport = httpx.ASGITransport(app, client=(address, 1))
        self.http = httpx.AsyncClient(transport=transport, base_url=tenant.issuer)
        self.tenant = tenant
        self.token = ""

    @property
    def cookie(self) -> str | None:
        return self.http.cookies.get(cookie_name(self.tenant))

    @cookie.setter
    def cookie(self, value: str) -> None:
        self.http.cookies.set(cookie_name(self.tenant), value, domain=self.tenant.host, path="/")

    async def get(self, path: str) -> httpx.Response:
        answer = await self.http.get(path)
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        if found:
            self.token = unescape(found[1])
        return answer

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.http.post(path, data={"csrf": self.token, **fields})

    async def submit(self, path: str, **fields: str) -> httpx.Response:
        """Look at the page, then send its form to its own address."""
        await self.get(path)
        return await self.post(path, **fields)

    async def sign_in(self, email: str = EMAIL, password: str = PASSWORD, query: str = "") -> httpx.Response:
        return await self.submit(f"/signin{query}", email=email, password=password)

    async def is_signed_in(self) -> bool:
        return (await self.get("/account")).status_code == httpx.codes.OK


@dataclass
class World:
    services: Services
    clock: ChosenClock
    told: Told
    outbox: Outbox
    apps: Apps
    background: Background
    sessions: SessionService
    links: LinkService
    users: UserService
    policies: PolicyService
    factors: FactorService
    app: Starlette
    opened: list[Browser] = field(default_factory=list)

    def browser(self, tenant: Tenant, address: str = "127.0.0.1") -> Browser:
        browser = Browser(self.app, tenant, address)
        self.opened.append(browser)
        return browser

    async def add_user(
        self, tenant: Tenant, email: str = EMAIL, password: str | None = PASSWORD, roles: Sequence[str] = ("member",)
    ) -> User:
        password_hash = None if password is None else await hash_password(password)
        async with self.services.database.tenant_session(tenant) as session:
            return await self.users.create(
                session, tenant, **PersonFactory(email=email, roles=roles, password_hash=password_hash)
            )

    async def require(self, tenant: Tenant, **rules: Any) -> Policy:
        """Make it the tenant's policy."""
        async with self.services.database.tenant_session(tenant) as session:
            return await self.policies.change(session, tenant, Policy(**rules))

    async def invite(self, tenant: Tenant, email: str) -> str:
        """The path of the link."""
        async with self.services.database.tenant_session(tenant) as session:
            return "/invitation/" + (await self.users.invite(session, tenant, email=email))[1]

    async def reset_link(self, browser: Browser, email: str = EMAIL) -> str:
        answer = await browser.submit("/reset", email=email)
        assert answer.status_code == httpx.codes.OK
        await self.background.drain()
        return self.outbox.link()

    async def close(self) -> None:
        for browser in self.opened:
            await browser.http.aclose()
        await self.background.close()


def build_world(services: Services, settings: Settings) -> World:
    clock, told, outbox, apps, background = ChosenClock(), Told(), Outbox(), Apps(), Background()
    hooks = told.hooks()
    sessions = SessionService(settings.identity, hooks, clock)
    links = LinkService(settings.identity, clock)
    policies = PolicyService(sessions, settings.identity)
    hooks.user_roles_changed.append(policies.follow_roles)
    users = UserService(sessions, links, hooks, policies)
    factors, passkeys = FactorService(services.sealer, clock), PasskeyService(services.sealer, clock)

    async def charge(tenant_id: UUID, allowances: Sequence[Allowance]) -> int:
        limits = tuple(Rate(one.name, one.amount, one.amount, one.period) for one in allowances)
        return (await services.limiter.check(Subject(tenant_id), limits)).retry_after

    app = Starlette(
        routes=[*pages.routes, *mailbox_pages.routes],
        middleware=[
            Middleware(AnswerHeadersMiddleware, https=False),
            Middleware(RequestContextMiddleware),
            Middleware(
                TenantMiddleware,
                resolver=services.resolver,
                on_error=render_tenancy_error,
                exempt=lambda _: False,
            ),
        ],
        exception_handlers={PageError: handle_page_error},
    )
    state = {
        "settings": settings,
        "database": services.database,
        "sessions": sessions,
        "links": links,
        "users": users,
        "policies": policies,
        "factors": factors,
        "passkeys": passkeys,
        "sealer": services.sealer,
        "hooks": hooks,
        "throttle": Throttle(charge, settings.identity),
        "mailer": outbox,
        "background": background,
        "connected_apps": apps,
        "catalogue": services.catalogue,
        "csrf": Csrf(decode_key(settings.secrets.master_key), secure=False),
    }
    for name, value in state.items():
        setattr(app.state, name, value)
    return World(services, clock, told, outbox, apps, background, sessions, links, users, policies, factors, app)
