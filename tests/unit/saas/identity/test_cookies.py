from dataclasses import replace
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

from saas.identity.cookies import clear_cookie, cookie_name, read_cookie, set_cookie
from tenants.registry import Tenant
from tests.factories import TenantFactory

OVER_HTTP = TenantFactory()
OVER_HTTPS = replace(OVER_HTTP, issuer="https://acme.example.com")


def attributes(tenant: Tenant, value: str, seconds: int) -> list[str]:
    response = Response()
    if seconds:
        set_cookie(response, tenant, value, timedelta(seconds=seconds))
    else:
        clear_cookie(response, tenant)
    return response.headers["set-cookie"].split("; ")


def read(tenant: Tenant, header: str) -> str | None:
    return read_cookie(Request({"type": "http", "headers": [(b"cookie", header.encode())], "tenant": tenant}))


def test_over_https_only_this_very_host_can_set_the_cookie() -> None:
    name, *rest = attributes(OVER_HTTPS, "x", 60)
    assert name == "__Host-session=x"
    assert sorted(rest) == ["HttpOnly", "Max-Age=60", "Path=/", "SameSite=lax", "Secure"]


def test_over_http_the_name_promises_nothing() -> None:
    name, *rest = attributes(OVER_HTTP, "x", 60)
    assert name == "session=x"
    assert sorted(rest) == ["HttpOnly", "Max-Age=60", "Path=/", "SameSite=lax"]


def test_clearing_names_the_same_cookie() -> None:
    for tenant in (OVER_HTTP, OVER_HTTPS):
        name, *rest = attributes(tenant, "", 0)
        assert name == f'{cookie_name(tenant)}=""'
        assert "Max-Age=0" in rest


def test_over_https_a_cookie_without_the_prefix_is_not_read() -> None:
    """A neighbour below the same domain can set `session`, but not `__Host-session`."""
    assert read(OVER_HTTPS, "session=planted") is None
    assert read(OVER_HTTPS, "session=planted; __Host-session=ours") == "ours"
    assert read(OVER_HTTP, "session=ours") == "ours"
