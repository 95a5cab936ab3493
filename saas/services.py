"""Settings become services: everything that a request, a command or a task may need, built once a process."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy import Select
from sqlalchemy.exc import SQLAlchemyError

from saas.access.administration import ADMINISTRATION, ADMINISTRATIVE
from saas.access.scopes import ScopeCatalogue
from saas.access.verifier import TokenVerifier
from saas.audit.actions import ACTIONS
from saas.audit.log import AuditService
from saas.features import FEATURES
from saas.identity.factors import FactorService
from saas.identity.hooks import Hooks
from saas.identity.links import LinkService
from saas.identity.passkeys import PasskeyService
from saas.identity.people import PeopleService
from saas.identity.policy import PolicyService
from saas.identity.role_service import RoleService
from saas.identity.sessions import SessionService
from saas.identity.throttle import Allowance, Throttle
from saas.identity.users import SEATS, UserService
from saas.keys.lifecycle import KeyLifecycle
from saas.keys.service import KeyService
from saas.kit.background import Background, end
from saas.kit.crypto import Sealer
from saas.kit.mail import MailboxMailer, Mailer, NoMailer, SmtpMailer
from saas.kit.metrics import Metrics
from saas.kit.outbound import Outbound
from saas.kit.redis import Channel, open_client
from saas.oauth.apps import AppService
from saas.oauth.backchannel import BackchannelLogout
from saas.oauth.clients import LIVE, ClientService
from saas.oauth.connected_apps import ConnectedAppService
from saas.oauth.grants.cleanup import Cleanup
from saas.oauth.grants.endings import Endings
from saas.oauth.grants.logouts import LogoutQueue
from saas.oauth.grants.narrowing import Narrowing
from saas.oauth.grants.revocations import Revocations, revoked_until
from saas.oauth.scopes import SCOPES
from saas.oauth.store import GrantStorage
from saas.ratelimit.decision import Rate
from saas.ratelimit.limiter import Limiter, Subject
from saas.ratelimit.quotas import QuotaCounters
from saas.ratelimit.upkeep import SERVED, kept_up
from saas.settings import MailSettings, Settings, decode_key
from saas.usage.collect import Collector
from saas.usage.counters import Counters
from saas.usage.service import UsageService
from saas.web.csrf import Csrf
from tenants.changes import Changes
from tenants.database import Database
from tenants.engine import PoolOptions
from tenants.registry import Registry, Tenant
from tenants.resolver import Resolver
from tenants.txt import DnsTxtResolver, TxtResolver

#: Where processes tell each other what has changed (see `tenants.changes`).
_CHANNEL = "saas:changes"
#: In Valkey, the ids of tenants with logout tokens that nobody has tried to send yet.
WAITING_LOGOUTS = "saas:logouts"
#: Seconds between two looks at the stored epoch: a lost message is noticed within this time.
_POLL_INTERVAL = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """Routes find each of them under its name in `app.state`."""

    settings: Settings
    database: Database
    redis: Redis
    channel: Channel
    changes: Changes
    registry: Registry
    resolver: Resolver
    catalogue: ScopeCatalogue
    audit: AuditService
    sealer: Sealer
    keys: KeyService
    clients: ClientService
    grants: GrantStorage
    connected_apps: ConnectedAppService
    apps: AppService
    verifier: TokenVerifier
    limiter: Limiter
    metrics: Metrics
    usage: UsageService
    collector: Collector
    hooks: Hooks
    sessions: SessionService
    links: LinkService
    users: UserService
    people: PeopleService
    roles: RoleService
    policies: PolicyService
    factors: FactorService
    passkeys: PasskeyService
    throttle: Throttle
    csrf: Csrf
    mailer: Mailer
    background: Background
    key_lifecycle: KeyLifecycle
    cleanup: Cleanup
    outbound: Outbound
    backchannel: BackchannelLogout
    txt: TxtResolver
    #: The rows of a tenant that a plan caps, by the cap's name.
    capped: Mapping[str, Select[Any]]

    async def close(self) -> None:
        await self.background.close()
        await self.outbound.close()
        await self.limiter.close()
        await self.redis.aclose()
        await self.database.close()


def build_services(settings: Settings) -> Services:
    """Build the services; nothing is connected before it is used.

    Raises ValueError, which says what to set, where a URL or the master key is missing.
    """
    for name, value in (
        ("SAAS_DATABASE_URL", settings.database.url),
        ("SAAS_REDIS_URL", settings.redis.url),
        ("SAAS_SECRETS_MASTER_KEY", settings.secrets.master_key.get_secret_value()),
    ):
        if not value:
            raise ValueError(f"{name} is not set")
    master_key = decode_key(settings.secrets.master_key)
    origin, hosts = settings.public.origin, settings.public.platform_hosts
    redis = open_client(settings.redis.url, settings.redis.timeout, cluster=settings.redis.cluster)
    channel = Channel(redis, _CHANNEL)
    changes = Changes(channel.publish)
    database = Database(
        settings.database.url,
        others=settings.databases,
        weights=settings.database.weights,
        kind=settings.database.kind,
        options=PoolOptions(
            settings.database.pool_size,
            settings.database.pool_timeout,
            max_tenants=settings.database.max_tenants,
            statement_cache=settings.database.statement_cache,
        ),
        on_commit=changes.committed,
    )
    scopes = [*SCOPES, *(scope for feature in FEATURES for scope in feature.SCOPES), *ADMINISTRATION]
    catalogue = ScopeCatalogue(scopes, administrative=ADMINISTRATIVE)
    registry = Registry(database, origin, changes, reserved_hosts=hosts)
    sealer = Sealer(master_key, [decode_key(key) for key in settings.secrets.previous_keys])
    keys = KeyService(database, sealer, changes)
    clients = ClientService(database, catalogue, changes)
    limiter = Limiter(
        settings.redis.url,
        settings.limits,
        workers=settings.server.workers,
        command_timeout=settings.redis.timeout,
        cluster=settings.redis.cluster,
        load_revoked=partial(revoked_until, database),
        token_lifetime=settings.tokens.access_ttl,
    )
    quotas = QuotaCounters(redis)
    usage = UsageService(quotas, timedelta(days=settings.usage.keep))
    hooks, access_ttl = Hooks(), settings.tokens.access_ttl
    revocations = Revocations(limiter.revoke)
    endings = Endings(revocations, access_ttl)
    hooks.user_disabled.append(endings.end_all)
    hooks.password_reset.append(endings.end_all)
    sessions = SessionService(settings.identity, hooks)
    policies = PolicyService(sessions, settings.identity)
    hooks.user_roles_changed.append(policies.follow_roles)
    narrowing = Narrowing(catalogue, revocations, access_ttl)
    hooks.user_roles_changed.append(narrowing.follow_user)
    hooks.role_changed.append(narrowing.follow_role)
    links = LinkService(settings.identity)
    users, factors = UserService(sessions, links, hooks, policies), FactorService(sealer)
    mailer, background = _mailer(settings.mail, redis), Background()

    async def client_is_live(tenant: Tenant, client_id: str, issued_at: int) -> bool:
        client = await clients.find(tenant, client_id)
        return client is not None and client.counts(issued_at)

    async def charge(tenant_id: UUID, allowances: Sequence[Allowance]) -> int:
        limits = tuple(Rate(each.name, each.amount, each.amount, each.period) for each in allowances)
        return (await limiter.check(Subject(tenant_id), limits)).retry_after

    async def tell_of_logouts(tenant_id: UUID) -> None:
        await redis.sadd(WAITING_LOGOUTS, tenant_id.hex)

    logouts = LogoutQueue(tell_of_logouts)
    hooks.sessions_ended.append(logouts.add)
    # http is for development: there, clients live on this machine too.
    outbound = Outbound(private=origin.scheme == "http")
    return Services(
        settings=settings,
        database=database,
        redis=redis,
        channel=channel,
        changes=changes,
        registry=registry,
        resolver=Resolver(registry, hosts),
        catalogue=catalogue,
        audit=AuditService([*ACTIONS.items(), *(pair for feature in FEATURES for pair in feature.ACTIONS.items())]),
        sealer=sealer,
        keys=keys,
        clients=clients,
        grants=GrantStorage(database, catalogue, sealer, revocations, access_ttl),
        connected_apps=ConnectedAppService(clients, catalogue, endings),
        apps=AppService(catalogue, endings),
        verifier=TokenVerifier(keys, client_is_live, changes),
        limiter=limiter,
        metrics=Metrics(str(os.getpid())),
        usage=usage,
        collector=Collector(
            database, registry, Counters(redis, SERVED), usage, quotas, parallel=settings.worker.parallel
        ),
        hooks=hooks,
        sessions=sessions,
        links=links,
        users=users,
        people=PeopleService(
            users, sessions, links=links, policies=policies, factors=factors, mailer=mailer, background=background
        ),
        roles=RoleService(catalogue, hooks),
        policies=policies,
        factors=factors,
        passkeys=PasskeyService(sealer),
        throttle=Throttle(charge, settings.identity),
        csrf=Csrf(master_key, secure=origin.scheme == "https"),
        mailer=mailer,
        background=background,
        key_lifecycle=KeyLifecycle(sealer, settings.keys, settings.tokens),
        cleanup=Cleanup(settings.tokens),
        outbound=outbound,
        backchannel=BackchannelLogout(database, keys, logouts, outbound),
        txt=DnsTxtResolver(),
        capped={"users": SEATS, "clients": LIVE} | dict(pair for each in FEATURES for pair in each.CAPPED.items()),
    )


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """The services for the time of one command: without the tasks that keep a server's caches fresh."""
    services = build_services(settings)
    try:
        yield services
    finally:
        await services.close()


@asynccontextmanager
async def kept_fresh(services: Services) -> AsyncIterator[None]:
    """Let caches follow what other processes change: listen to them, and look at the stored epoch, now and often."""

    async def poll(name: str) -> None:
        try:
            async with services.database.platform_session(name) as session:
                await services.changes.poll(session, name)
        except (SQLAlchemyError, OSError) as error:
            log.warning("The epoch of the database %s could not be read, trying again: %s", name, error)

    async def poll_forever(name: str) -> None:
        while True:
            await asyncio.sleep(_POLL_INTERVAL)
            await poll(name)

    limits = kept_up(services.limiter, services.metrics, token_lifetime=services.settings.tokens.access_ttl)
    async with limits, services.channel.listen(services.changes.received):
        names = services.database.names
        await asyncio.gather(*map(poll, names))
        tasks = [asyncio.create_task(poll_forever(name), name=f"poll the epoch of {name}") for name in names]
        try:
            yield
        finally:
            await asyncio.gather(*map(end, tasks))


def _mailer(settings: MailSettings, redis: Redis) -> Mailer:
    if settings.mailbox:
        return MailboxMailer(redis)
    url = settings.url.get_secret_value()
    return SmtpMailer(url, settings.sender, timeout=settings.timeout) if url else NoMailer()
