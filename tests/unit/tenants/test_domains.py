import pytest
from sqlalchemy import text

from tenants import domains
from tenants.base import utc_now
from tenants.domains import Domain
from tenants.errors import DomainNotFound, DomainNotProved, HostTaken, InvalidName, NameServersSilent, TooManyDomains
from tenants.registry import Tenant
from tests.unit.tenants.conftest import Process, new_slug


class Zone:
    """The TXT records of the world."""

    def __init__(self) -> None:
        self.records: dict[str, list[str]] = {}
        self.silent = False

    async def txt(self, name: str) -> list[str]:
        if self.silent:
            raise NameServersSilent("No answer")
        return self.records.get(name, [])

    def publish(self, *claims: Domain) -> None:
        for claim in claims:
            assert claim.record is not None
            self.records.setdefault(claim.record, []).append(claim.value or "")


@pytest.fixture
def zone() -> Zone:
    return Zone()


async def add(process: Process, tenant: Tenant, host: str) -> Domain:
    async with process.database.platform_session() as session:
        return await domains.add_domain(session, process.registry, tenant, host)


async def listed(process: Process, tenant: Tenant) -> list[Domain]:
    async with process.database.platform_session() as session:
        return await domains.list_domains(session, tenant)


async def test_a_domain_leads_to_the_tenant_once_it_is_proved(process: Process, zone: Zone) -> None:
    tenant = await process.make()
    host = f"login.{new_slug()}.example"
    claim = await add(process, tenant, f"{host.upper()}.")
    assert (claim.host, claim.verified_at, claim.record) == (host, None, f"_saas-challenge.{host}")
    assert await add(process, tenant, host) == claim, "the same challenge, however often one asks"
    assert await process.registry.by_host(host) is None
    zone.records[f"_saas-challenge.{host}"] = ["v=spf1 -all", f"x{claim.value}"]
    with pytest.raises(DomainNotProved, match=r"it says 'v=spf1 -all'") as refused:
        await domains.verify_domain(process.database, tenant, host, zone)
    assert (claim.value or "-") in str(refused.value)
    zone.publish(claim)
    proved = await domains.verify_domain(process.database, tenant, host, zone)
    assert proved.verified_at is not None
    assert await listed(process, tenant) == [proved]
    assert await domains.verify_domain(process.database, tenant, host, zone) == proved
    assert await add(process, tenant, host) == proved
    found = await process.registry.by_host(host)
    assert found is not None
    assert (found.id, found.domains, found.issuer) == (tenant.id, (host,), tenant.issuer)
    async with process.database.platform_session() as session:
        await domains.remove_domain(session, tenant, host)
    assert await process.registry.by_host(host) is None
    with pytest.raises(DomainNotFound):
        await domains.verify_domain(process.database, tenant, host, zone)


async def test_whoever_proves_a_host_has_it_whoever_claimed_it_before(process: Process, zone: Zone) -> None:
    squatter, owner = await process.make(), await process.make()
    host = f"login.{new_slug()}.example"
    squatted, owned = await add(process, squatter, host), await add(process, owner, host)
    assert squatted.value != owned.value
    zone.publish(owned)
    with pytest.raises(DomainNotProved):
        await domains.verify_domain(process.database, squatter, host, zone)
    await domains.verify_domain(process.database, owner, host, zone)
    zone.publish(squatted)
    with pytest.raises(HostTaken):
        await domains.verify_domain(process.database, squatter, host, zone)
    third = await process.make()
    with pytest.raises(HostTaken):
        await add(process, third, host)
    found = await process.registry.by_host(host)
    assert found is not None
    assert found.id == owner.id


async def test_hosts_of_the_platform_cannot_be_claimed_nor_too_many(process: Process) -> None:
    tenant = await process.make(plan="enterprise")
    for host in ("example.com", "api.example.com", tenant.host, f"{new_slug()}.example.com", "a.b.example.com"):
        with pytest.raises(HostTaken):
            await add(process, tenant, host)
    for host in ("localhost", "not a domain", "*.example.org", ""):
        with pytest.raises(InvalidName):
            await add(process, tenant, host)
    for number in range(domains.MAX_CLAIMS):
        await add(process, tenant, f"d{number}.{tenant.slug}.example")
    with pytest.raises(TooManyDomains):
        await add(process, tenant, f"more.{tenant.slug}.example")


async def test_silent_name_servers_change_nothing_and_others_are_looked_at_first(process: Process, zone: Zone) -> None:
    tenant = await process.make()
    first, second = f"a.{tenant.slug}.example", f"b.{tenant.slug}.example"
    for host in (first, second):
        await add(process, tenant, host)

    async def waiting() -> list[str]:
        async with process.database.platform_session() as session:
            found = await domains.waiting(session, checked_before=utc_now(), most=10_000)
        return [host for slug, host in found if slug == tenant.slug]

    assert await waiting() == [first, second]
    zone.silent = True
    with pytest.raises(NameServersSilent):
        await domains.verify_domain(process.database, tenant, first, zone)
    assert await waiting() == [second, first]
    async with process.database.platform_session() as session:
        await session.execute(text("UPDATE platform.domain_claims SET created_at = now() - interval '15 d'"))
    assert await waiting() == []
    assert [domain.host for domain in await listed(process, tenant)] == [first, second]
