"""What there is to do for a tenant or for the platform, and how often.

A new kind of work is one more line in `jobs_of` or in `platform_jobs_of`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from saas.audit.retention import prune_all
from saas.idempotency import service as kept_answers
from saas.services import Services
from saas.worker import lifecycle
from tenants.registry import Tenant
from tenants.transfer.journal import drop_old_copies
from tenants.warm import refill


@dataclass(frozen=True, slots=True)
class Job:
    """`work` may run anywhere, several times at once, and may stop halfway; it says how many things it has done."""

    name: str
    #: Seconds from the end of one round through all tenants to the beginning of the next.
    interval: float
    work: Callable[[Tenant], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class PlatformJob:
    """What is no single tenant's. `work` may run anywhere, and may stop halfway.

    It does a piece of bounded size, says how many things that were, and is called again until there were none.
    """

    name: str
    #: Seconds from one round's end to the next.
    interval: float
    work: Callable[[], Awaitable[int]]


def jobs_of(services: Services) -> tuple[Job, ...]:
    settings = services.settings.worker

    async def clean(tenant: Tenant) -> int:
        """In transactions of a bounded size, until nothing is left."""
        purges = (
            services.cleanup.purge,
            services.sessions.purge,
            services.links.purge,
            services.passkeys.purge,
            kept_answers.purge,
            services.usage.purge,
        )
        total = 0
        for purge in purges:
            deleted = settings.batch
            while deleted >= settings.batch:
                async with services.database.tenant_session(tenant) as session:
                    deleted = await purge(session, settings.batch)
                total += deleted
        return total

    async def rotate(tenant: Tenant) -> int:
        async with services.database.tenant_session(tenant) as session:
            return await services.key_lifecycle.advance(session, tenant.id)

    async def prune(tenant: Tenant) -> int:
        return await prune_all(services.database, tenant, timedelta(days=tenant.plan.audit_days), settings.batch)

    return (
        Job("audit", settings.cleanup_interval, prune),
        Job("cleanup", settings.cleanup_interval, clean),
        Job("keys", settings.keys_interval, rotate),
        Job("logouts", settings.logouts_interval, services.backchannel.deliver),
    )


def platform_jobs_of(services: Services) -> tuple[PlatformJob, ...]:
    settings = services.settings.worker

    async def fill_pools() -> int:
        """One schema a database."""
        done = [await refill(services.database, name, settings.pool) for name in services.database.names]
        return sum(done)

    return (
        PlatformJob("pool", settings.pool_interval, fill_pools),
        PlatformJob("purges", settings.lifecycle_interval, partial(lifecycle.purge_tenants, services)),
        PlatformJob("old copies", settings.lifecycle_interval, partial(drop_old_copies, services.database)),
        PlatformJob("former hosts", settings.lifecycle_interval, partial(lifecycle.forget_former_hosts, services)),
        PlatformJob("usage", settings.usage_interval, services.collector.collect_some),
        PlatformJob("domains", settings.lifecycle_interval, partial(lifecycle.verify_domains, services)),
    )
