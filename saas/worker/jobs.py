"""What there is to do for a tenant, and how often. A new kind of work is one more line in `jobs_of`."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from saas.services import Services
from tenants.registry import Tenant


@dataclass(frozen=True, slots=True)
class Job:
    """`work` may run anywhere, several times at once, and may stop halfway; it says how many things it has done."""

    name: str
    #: Seconds from the end of one round through all tenants to the beginning of the next.
    interval: float
    work: Callable[[Tenant], Awaitable[int]]


def jobs_of(services: Services) -> tuple[Job, ...]:
    settings = services.settings.worker

    async def clean(tenant: Tenant) -> int:
        """In transactions of a bounded size, until nothing is left."""
        purges = (services.cleanup.purge, services.sessions.purge, services.links.purge)
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

    return (
        Job("cleanup", settings.cleanup_interval, clean),
        Job("keys", settings.keys_interval, rotate),
        Job("logouts", settings.logouts_interval, services.backchannel.deliver),
    )
