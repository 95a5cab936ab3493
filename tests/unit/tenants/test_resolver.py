"""Every way to name a tenant, and many to misname one; none may end in anything but a TenancyError or the tenant."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tenants.errors import (
    MalformedTenant,
    TenancyError,
    TenantMismatch,
    TenantNotFound,
    TenantNotReady,
    TenantSuspended,
)
from tenants.resolver import Resolver
from tests.unit.tenants.conftest import Process

API = "api.example.com"


@pytest.fixture(scope="module")
async def resolver(database_url: str) -> AsyncIterator[Resolver]:
    process = Process.start(database_url)
    await process.make("acme", domain="login.acme.example")
    await process.make("globex")
    for slug, status in (("held", "suspended"), ("young", "provisioning"), ("gone", "deleting")):
        await process.make(slug)
        async with process.database.platform_session() as session:
            await session.execute(
                text("UPDATE platform.tenants SET status = :status, suspended_reason = 'unpaid' WHERE slug = :slug"),
                {"slug": slug, "status": status},
            )
    yield Resolver(process.registry, frozenset({API, "[::1]"}))
    await process.database.close()


@pytest.mark.parametrize(
    ("host", "header", "slug"),
    [
        ("acme.example.com", None, "acme"),
        ("ACME.Example.COM", None, "acme"),
        ("acme.example.com:8443", None, "acme"),
        ("acme.example.com.", None, "acme"),
        ("acme.example.com.:443", None, "acme"),
        ("acme.example.com:", None, "acme"),
        ("acme.example.com", "acme", "acme"),
        ("login.acme.example", None, "acme"),
        ("Login.Acme.Example:443", "acme", "acme"),
        (API, "acme", "acme"),
        (API, "globex", "globex"),
        (f"{API.upper()}:8000", "globex", "globex"),
        ("[::1]:8000", "globex", "globex"),
    ],
)
async def test_tenant_is_found(resolver: Resolver, host: str, header: str | None, slug: str) -> None:
    assert (await resolver.resolve(host, header)).slug == slug


@pytest.mark.parametrize(
    ("host", "header", "error", "says"),
    [
        ("nobody.example.com", None, TenantNotFound, "nobody.example.com"),
        ("nobody.example.com", "acme", TenantNotFound, "nobody.example.com"),
        ("example.com", "acme", TenantNotFound, "example.com"),
        ("a.acme.example.com", None, TenantNotFound, "address"),
        ("acme.example.com.evil.test", None, TenantNotFound, "address"),
        ("evilacme.example.com", None, TenantNotFound, "address"),
        ("acme..example.com", None, TenantNotFound, "address"),
        ("[::2]", "acme", TenantNotFound, "address"),
        ("127.0.0.1:8000", "acme", TenantNotFound, "address"),
        (API, None, TenantNotFound, "X-Tenant"),
        (API, "nobody", TenantNotFound, "X-Tenant"),
        ("acme.example.com", "globex", TenantMismatch, "leave X-Tenant out"),
        ("acme.example.com", "nobody", TenantMismatch, "leave X-Tenant out"),
        ("login.acme.example", "globex", TenantMismatch, "leave X-Tenant out"),
        ("held.example.com", "acme", TenantMismatch, "leave X-Tenant out"),
        ("held.example.com", None, TenantSuspended, "unpaid"),
        (API, "held", TenantSuspended, "unpaid"),
        ("young.example.com", None, TenantNotReady, "set up"),
        (API, "young", TenantNotReady, "set up"),
        ("gone.example.com", None, TenantNotFound, "no tenant"),
        (API, "gone", TenantNotFound, "no tenant"),
    ],
)
async def test_tenant_is_refused(
    resolver: Resolver, host: str, header: str | None, error: type[TenancyError], says: str
) -> None:
    with pytest.raises(error, match=says):
        await resolver.resolve(host, header)


@pytest.mark.parametrize(
    "host",
    [
        *("", " ", ":", ":80", "::1", "[::1", "[acme.example.com]", "user@acme", "ächt.example.com", "x" * 255),
        *("acme.example.com:80:80", "acme.example.com:http", "acme.example.com:123456", "acme.example.com/path"),
        *("acme.example.com ", "acme.example.com\0", "acme.example.com\r\nX: y", "%61cme.example.com"),
        "acme.example.com,globex.example.com",
    ],
)
async def test_malformed_host_is_a_client_error(resolver: Resolver, host: str) -> None:
    for header in (None, "acme"):
        with pytest.raises(MalformedTenant, match="Host"):
            await resolver.resolve(host, header)


@pytest.mark.parametrize(
    "header", ["", " ", "ACME", "acme ", "acme,globex", "acme.example.com", "\0", "../acme", "ácme", "a" * 41, "t_0123"]
)
@pytest.mark.parametrize("host", [API, "acme.example.com"])
async def test_malformed_header_is_a_client_error(resolver: Resolver, host: str, header: str) -> None:
    with pytest.raises(MalformedTenant, match="X-Tenant"):
        await resolver.resolve(host, header)


@given(host=st.text(max_size=60), header=st.none() | st.text(max_size=45))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
async def test_nothing_unexpected_comes_of_any_text(resolver: Resolver, host: str, header: str | None) -> None:
    with pytest.raises(TenancyError) as raised:
        await resolver.resolve(host, header)
    assert 400 <= raised.value.status < 500
