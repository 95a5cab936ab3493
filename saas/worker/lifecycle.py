"""What becomes due for the registry: tenants to purge, former hosts to forget, domains to prove."""

import asyncio
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from saas.audit.tenancy import tell_verified
from saas.services import Services
from tenants import domains, lifecycle, provisioning
from tenants.base import utc_now
from tenants.errors import TenancyError

log = structlog.get_logger(__name__)

#: How often the worker looks for the proof of one domain, and how many it looks for in one go.
_LOOK_AGAIN: Final = timedelta(minutes=5)
_DOMAINS: Final = 50


async def purge_tenants(services: Services) -> int:
    """How many deleted tenants were taken away for good. Raises the last error where one would not go."""

    async def purge(slug: str, tenant_id: UUID) -> None:
        await provisioning.delete(services.database, slug, purge=services.limiter.purge, only=tenant_id)
        log.info("A deleted tenant was purged", tenant=slug)

    async with services.database.platform_session() as session:
        waiting = await lifecycle.due(session)
    purged = 0
    failed: TenancyError | None = None
    for tenant_id in waiting:
        try:
            purged += await lifecycle.purge_if_due(services.database, tenant_id, purge)
        except TenancyError as error:  # in use, mostly: the others need not wait for it
            failed = error
    if failed is not None and not purged:
        raise failed
    return purged


async def forget_former_hosts(services: Services) -> int:
    async with services.database.platform_session() as session:
        return await lifecycle.forget_former_hosts(session)


async def verify_domains(services: Services) -> int:
    """How many domains were proved."""
    async with services.database.platform_session() as session:
        waiting = await domains.waiting(session, checked_before=utc_now() - _LOOK_AGAIN, most=_DOMAINS)
    return sum(await asyncio.gather(*(_verify(services, slug, host) for slug, host in waiting)))


async def _verify(services: Services, slug: str, host: str) -> bool:
    try:
        async with services.database.platform_session() as session:
            tenant = await services.registry.get(session, slug)
        await domains.verify_domain(services.database, tenant, host, services.txt, told=tell_verified)
    except TenancyError as error:
        log.debug("A domain is not proved yet", tenant=slug, host=host, reason=str(error))
        return False
    log.info("A domain was proved", tenant=slug, host=host)
    return True
