"""Values for tests that need no database."""

from uuid import NAMESPACE_DNS, uuid5

from saas.kit.clock import utc_now
from tenants.plans import Plan
from tenants.registry import Tenant


def sample_tenant(
    slug: str = "acme", name: str = "Acme", base: str = "localhost", accent: str | None = None, logo: str | None = None
) -> Tenant:
    """An active tenant; the same slug is the same tenant."""
    identity = uuid5(NAMESPACE_DNS, slug)
    return Tenant(
        id=identity,
        slug=slug,
        name=name,
        host=f"{slug}.{base}",
        issuer=f"http://{slug}.{base}",
        schema=f"t_{identity.hex}",
        status="active",
        plan=Plan("free", requests_per_minute=60, burst=10, requests_per_day=1000),
        domains=(),
        suspended_reason=None,
        revision=None,
        created_at=utc_now(),
        accent=accent,
        logo=logo,
    )
