"""From a request's host and `X-Tenant` header to its tenant, or to an error that says what to do."""

import re
from functools import lru_cache
from typing import Final

from tenants.errors import (
    MalformedTenant,
    TenantMismatch,
    TenantMoving,
    TenantNotFound,
    TenantNotReady,
    TenantRenamed,
    TenantSuspended,
)
from tenants.migrate.render import TENANT
from tenants.names import is_slug, normalize_host
from tenants.registry import Registry, Tenant

#: RFC 9112 section 3.2: a name or an address, perhaps with a port. Looser than a domain, since it only guards.
_HOST: Final = re.compile(r"(?:[a-z0-9_.-]{1,254}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{0,5})?")
_MAX_HOST: Final = 270


class Resolver:
    """`platform_hosts` are those of the platform's API, where the header picks the tenant; it does so nowhere else."""

    def __init__(self, registry: Registry, platform_hosts: frozenset[str]) -> None:
        self._registry = registry
        self._platform_hosts = frozenset(map(normalize_host, platform_hosts))

    async def resolve(self, host: str, header: str | None) -> Tenant:
        """The active tenant of a request with this Host and this X-Tenant header. Raises a TenancyError.

        A renamed tenant is still found by its former slug in the header, while TenantRenamed says where its host is.
        """
        canonical = _canonical(host) if len(host) <= _MAX_HOST else None
        if canonical is None:
            raise MalformedTenant("The Host header is not a host: send the address of a tenant or of the API")
        if header is not None and not is_slug(header):
            raise MalformedTenant("X-Tenant is not a slug: send the tenant's short name, like acme")
        if canonical in self._platform_hosts:
            return _usable(await self._by_header(canonical, header))
        tenant = await self._registry.by_host(canonical)
        if tenant is None:
            raise TenantNotFound(f"No tenant is served at {canonical}: check the address")
        if header is not None and header != tenant.slug:
            named = await self._registry.by_slug(header)  # a former slug of the same tenant, perhaps
            if named is None or named.id != tenant.id:
                raise TenantMismatch(f"{canonical} is not the address of {header}: leave X-Tenant out, or correct it")
        _usable(tenant)
        if canonical != tenant.host and canonical not in tenant.domains:
            raise TenantRenamed(f"{tenant.name} is at {tenant.issuer} now", address=tenant.issuer)
        return tenant

    async def _by_header(self, host: str, slug: str | None) -> Tenant:
        if slug is None:
            raise TenantNotFound(f"{host} serves every tenant: say which in the X-Tenant header, by its slug")
        tenant = await self._registry.by_slug(slug)
        if tenant is None:
            raise TenantNotFound(f"There is no tenant {slug}: check the X-Tenant header")
        return tenant


@lru_cache(maxsize=4096)
def _canonical(host: str) -> str | None:
    """A Host header's host; None where it holds none. The same few hundred come again and again."""
    return normalize_host(host) if _HOST.fullmatch(host.lower()) else None


def _usable(tenant: Tenant) -> Tenant:
    if tenant.status == "active":
        if tenant.revision in TENANT.older:  # this code asks for columns that are not there yet
            raise TenantNotReady(f"{tenant.slug} is being brought to this release: try again in a moment")
        return tenant
    if tenant.status == "suspended":
        reason = tenant.suspended_reason
        raise TenantSuspended(f"{tenant.slug} is suspended: {reason or 'ask the platform why'}", reason=reason)
    if tenant.status == "moving":
        raise TenantMoving(f"{tenant.slug} is being moved: try again in a few seconds", tenant_id=tenant.id)
    if tenant.status == "provisioning":
        raise TenantNotReady(f"{tenant.slug} is being set up: try again in a moment")
    raise TenantNotFound(f"There is no tenant {tenant.slug}")
