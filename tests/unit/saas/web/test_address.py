import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from saas.settings import Settings
from saas.web.address import client_address
from tests.unit.saas.web.asgi import scope

PROXY, NETWORK = "10.0.0.1", "192.168.0.0/16"


def address(peer: str | None, *forwarded: str, trusted: tuple[str, ...] = (PROXY, NETWORK)) -> str:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return client_address(scope(headers=headers, client=peer and (peer, 1)), trusted)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", (), "203.0.113.9"),
        ("203.0.113.9", ("1.2.3.4",), "203.0.113.9"),
        (PROXY, (), PROXY),
        (PROXY, ("198.51.100.7",), "198.51.100.7"),
        (PROXY, ("6.6.6.6, 198.51.100.7",), "198.51.100.7"),
        (PROXY, ("6.6.6.6", "198.51.100.7"), "198.51.100.7"),
        (PROXY, ("198.51.100.7, 192.168.3.4",), "198.51.100.7"),
        (PROXY, ("192.168.3.5, 192.168.3.4",), "192.168.3.5"),
        (PROXY, ("6.6.6.6, nonsense, 192.168.3.4",), "192.168.3.4"),
        (PROXY, ("198.51.100.7:4711",), "198.51.100.7"),
        (PROXY, ("2001:db8::7",), "2001:db8::7"),
        (PROXY, ("[2001:DB8::7]:443",), "2001:db8::7"),
        (PROXY, ("::ffff:198.51.100.7",), "198.51.100.7"),
        (PROXY, ("",), PROXY),
    ],
)
def test_the_last_hop_that_is_not_trusted_is_the_client(peer: str, forwarded: tuple[str, ...], expected: str) -> None:
    assert address(peer, *forwarded) == expected


def test_nobody_is_trusted_unless_it_is_said() -> None:
    assert address(PROXY, "198.51.100.7", trusted=()) == PROXY


def test_a_proxy_on_a_unix_socket_has_a_name() -> None:
    assert address(None, "198.51.100.7") == "unix"
    assert address(None, "198.51.100.7", trusted=("unix",)) == "198.51.100.7"
    assert address("", "unix, 198.51.100.7", trusted=("unix",)) == "198.51.100.7"


@given(value=st.text(max_size=60))
def test_no_header_breaks_it(value: str) -> None:
    assert address(PROXY, value)
    assert address("203.0.113.9", value) == "203.0.113.9"


@pytest.mark.parametrize("value", ["10.0.0.1", "10.0.0.7/8, unix", "2001:db8::/32", ""])
def test_what_settings_take_is_understood(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAAS_PUBLIC_TRUSTED_PROXIES", value)
    assert address("203.0.113.9", "1.2.3.4", trusted=Settings().public.trusted_proxies) == "203.0.113.9"


@pytest.mark.parametrize("value", ["proxy.example", "10.0.0.0/99", "*"])
def test_settings_refuse_what_is_no_address(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAAS_PUBLIC_TRUSTED_PROXIES", value)
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings()
