from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.errors import InvalidName
from tenants.names import Origin, check_domain, check_slug, is_host, is_slug, normalize_host, schema_name


@pytest.mark.parametrize("slug", ["a", "acme", "a-b-c", "a1", "x" * 40])
def test_slugs(slug: str) -> None:
    assert check_slug(slug) == slug
    assert is_slug(slug)


@pytest.mark.parametrize(
    "slug", ["", "A", "1a", "-a", "a-", "a--b", "x" * 41, "a.b", "a_b", "a b", "a\n", "á", "a\0", "xn--80ak6aa92e"]
)
def test_no_slugs(slug: str) -> None:
    with pytest.raises(InvalidName):
        check_slug(slug)


@pytest.mark.parametrize("slug", ["api", "www", "admin", "localhost"])
def test_reserved_slugs_are_refused_but_looked_up(slug: str) -> None:
    with pytest.raises(InvalidName, match="reserved"):
        check_slug(slug)
    assert is_slug(slug)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Login.Acme.EXAMPLE", "login.acme.example"),
        ("acme.example.", "acme.example"),
        ("acme.example:8443", "acme.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_domains(written: str, canonical: str) -> None:
    assert check_domain(written) == canonical


@pytest.mark.parametrize(
    "domain",
    [
        *("", "acme", "a..b", "-a.example", "a-.example", "a_b.example", "bücher.example", "[::1]", "a.example/path"),
        *("a.exam\0ple", "a b.example", "a." * 127 + "example", "a" * 64 + ".example"),
    ],
)
def test_no_domains(domain: str) -> None:
    with pytest.raises(InvalidName):
        check_domain(domain)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("Acme.Example.com", "acme.example.com"),
        ("acme.example.com:8000", "acme.example.com"),
        ("acme.example.com.", "acme.example.com"),
        ("[::1]:8000", "[::1]"),
        (" acme.example.com ", "acme.example.com"),
    ],
)
def test_normalize_host(header: str, host: str) -> None:
    assert normalize_host(header) == host


@given(st.text())
def test_what_is_a_host_is_short_ascii_and_canonical(text: str) -> None:
    canonical = normalize_host(text)
    if is_host(canonical):
        assert canonical.isascii()
        assert len(canonical) <= 253
        assert normalize_host(canonical) == canonical


def test_origin() -> None:
    origin = Origin.parse("http://localhost:8000")
    assert origin.host_of("acme") == "acme.localhost"
    assert origin.url_of("acme.localhost") == "http://acme.localhost:8000"
    assert Origin.parse("https://example.com/").url_of("a.example.com") == "https://a.example.com"


@pytest.mark.parametrize("url", ["", "example.com", "ftp://example.com", "https://", "https://example.com/app"])
def test_no_origin(url: str) -> None:
    with pytest.raises(InvalidName):
        Origin.parse(url)


def test_schema_name_depends_on_the_id_alone() -> None:
    assert schema_name(UUID(int=7)) == "t_00000000000000000000000000000007"
