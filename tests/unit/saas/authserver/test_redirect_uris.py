import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.authserver.redirect_uris import is_loopback, matches, problem_with

GOOD = [
    "https://app.example/callback",
    "https://app.example",
    "https://app.example:8443/cb?tenant=1&x=%2F",
    "https://[2001:db8::1]/cb",
    "https://localhost/cb",
    "http://127.0.0.1/cb",
    "http://127.0.0.1:8080/cb",
    "http://[::1]:8080/cb",
    "http://localhost:3000/cb",
    "com.example.app:/callback",
    "com.example.app://callback",
]


@pytest.mark.parametrize("uri", GOOD)
def test_these_can_be_registered(uri: str) -> None:
    assert problem_with(uri) is None


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("", "absolute"),
        ("/callback", "absolute"),
        ("//app.example/cb", "absolute"),
        ("app.example/cb", "absolute"),
        ("https://app.example/cb#fragment", "fragment"),
        ("https://app.example/cb#", "fragment"),
        ("https://*.app.example/cb", "wildcard"),
        ("https://app.example/*", "wildcard"),
        ("https://app.example/cb x", "absolute"),
        ("https://app.example/cb\n", "absolute"),
        ("https://app.example\\@evil.example/", "absolute"),
        ("https://app.example/caf\u00e9", "absolute"),
        ("https://app.example/%zz", "absolute"),
        ("https://ann@app.example/cb", "user name"),
        ("https://ann:secret@app.example/cb", "user name"),
        ("https://app.example@evil.example/cb", "user name"),
        ("https:///cb", "host"),
        ("https:app.example/cb", "host"),
        ("https://App.example/cb", "lower case"),
        ("HTTPS://app.example/cb", "absolute"),
        ("https://app.example:99999/cb", "port"),
        ("https://app.example:port/cb", "port"),
        ("https://[::1/cb", "malformed"),
        ("http://app.example/cb", "use https"),
        ("http://127.0.0.1.evil.example/cb", "use https"),
        ("http://127.0.0.2/cb", "use https"),
        ("http://localhost.evil.example/cb", "use https"),
        ("http://localhost@evil.example/cb", "user name"),
        ("myapp:/cb", "reverse of a domain"),
        ("javascript:alert(1)", "reverse of a domain"),
        ("data:text/html,x", "reverse of a domain"),
        ("urn:ietf:wg:oauth:2.0:oob", "reverse of a domain"),
        ("https://app.example/" + "x" * 2000, "longer"),
    ],
)
def test_these_cannot(uri: str, says: str) -> None:
    assert says in (problem_with(uri) or "")


@pytest.mark.parametrize("uri", GOOD)
@pytest.mark.parametrize("native", [True, False])
def test_what_is_registered_matches_itself(uri: str, native: bool) -> None:
    assert matches(uri, GOOD, native=native)


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example/callback/",
        "https://app.example/callback/..",
        "https://app.example/other",
        "https://app.example/Callback",
        "https://app.example/callback?x=1",
        "https://app.example/callback#x",
        "https://app.example/%63allback",
        "https://app.example:443/callback",
        "https://app.example:8443/callback",
        "https://app.example.evil.example/callback",
        "https://evil.example/app.example/callback",
        "https://ann@app.example/callback",
        "https://app.example@evil.example/callback",
        "https://App.example/callback",
        "HTTPS://app.example/callback",
        "http://app.example/callback",
        "https://app.example\\@evil.example/callback",
        "https://app.example/callback\n",
        " https://app.example/callback",
        "https://appXexample/callback",
    ],
)
def test_anything_but_the_very_same_is_another(uri: str) -> None:
    assert not matches(uri, ["https://app.example/callback"], native=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_native_app_chooses_its_port_on_a_loopback_address(host: str) -> None:
    registered = [f"http://{host}/cb"]
    assert matches(f"http://{host}:51004/cb", registered, native=True)
    assert matches(f"http://{host}/cb", [f"http://{host}:8080/cb"], native=True)
    assert not matches(f"http://{host}:51004/cb", registered, native=False)
    for other in ("/cb/", "/", "", "/cb?x=1", "/cb#x"):
        assert not matches(f"http://{host}:51004{other}", registered, native=True)
    for port in ("0", "65536", "999999", "80a", "-1", ""):
        assert not matches(f"http://{host}:{port}/cb", registered, native=True)
    assert not matches(f"http://ann@{host}:51004/cb", registered, native=True)
    assert not matches(f"http://{host}.evil.example:51004/cb", registered, native=True)
    assert not matches(f"https://{host}:51004/cb", registered, native=True)


def test_loopback_hosts_do_not_stand_for_each_other() -> None:
    assert not matches("http://localhost:1/cb", ["http://127.0.0.1/cb"], native=True)
    assert not matches("http://127.0.0.1:1/cb", ["http://[::1]/cb"], native=True)


@pytest.mark.parametrize(
    ("uri", "loopback"),
    [
        ("http://127.0.0.1:1/cb", True),
        ("http://localhost", True),
        ("http://localhost.evil.example", False),
        ("https://localhost", False),
    ],
)
def test_loopback(uri: str, loopback: bool) -> None:
    assert is_loopback(uri) is loopback


@given(st.text(max_size=80), st.booleans())
def test_nothing_makes_it_fail(uri: str, native: bool) -> None:
    problem_with(uri)
    assert matches(uri, GOOD, native=native) in {True, False}


@given(st.text(alphabet="htps:/@.#?[]1270localhost\\%*", max_size=60))
def test_what_can_be_registered_has_no_fragment_no_user_and_a_known_place(uri: str) -> None:
    if problem_with(uri) is None:
        assert not {"#", "*", "\\", "@"} & set(uri.partition("?")[0])
        assert uri.startswith("https://") or is_loopback(uri) or "." in uri.partition(":")[0]
