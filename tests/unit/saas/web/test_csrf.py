import os
from collections.abc import Mapping
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import Message

from saas.web.csrf import FIELD, Csrf, CsrfError, read_form
from saas.web.problems import PageError
from tenants.registry import Tenant
from tests.factories import TenantFactory

KEY = os.urandom(32)
ACME, OTHER = TenantFactory(), TenantFactory(slug="other")


def request(
    cookie: str | None = None,
    tenant: Tenant | None = ACME,
    session_id: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Request:
    sent = {"host": "acme.localhost:8000", **(headers or {}), **({"cookie": cookie} if cookie else {})}
    return Request(
        {
            "type": "http",
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "tenant": tenant,
            "session_id": session_id,
        }
    )


def posted(csrf: Csrf, body: bytes, cookie: str | None = None) -> Request:
    """A request as it comes to a route of an application."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    app = Starlette()
    app.state.csrf = csrf
    return Request({**request(cookie).scope, "app": app}, receive)


def issue(csrf: Csrf, tenant: Tenant | None = ACME, session_id: str | None = None) -> tuple[str, str]:
    """A token and the Cookie header of the browser that it was made for."""
    token, set_cookie = csrf.issue(request(None, tenant, session_id))
    assert set_cookie is not None
    return token, set_cookie.partition(";")[0]


@pytest.fixture
def csrf() -> Csrf:
    return Csrf(KEY, secure=False)


def test_a_form_of_our_own_passes(csrf: Csrf) -> None:
    token, cookie = issue(csrf, session_id="s1")
    csrf.check(request(cookie, session_id="s1"), {FIELD: token})


def test_a_browser_keeps_its_cookie_and_gets_another_token_each_time(csrf: Csrf) -> None:
    first, cookie = issue(csrf)
    second, set_cookie = csrf.issue(request(cookie))
    assert set_cookie is None
    assert first != second
    for token in (first, second):
        csrf.check(request(cookie), {FIELD: token})


def test_another_process_with_the_same_key_takes_the_token(csrf: Csrf) -> None:
    token, cookie = issue(csrf)
    Csrf(KEY, secure=False).check(request(cookie), {FIELD: token})
    with pytest.raises(CsrfError):
        Csrf(os.urandom(32), secure=False).check(request(cookie), {FIELD: token})


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_is_for_this_host_and_no_script(secure: bool) -> None:
    _, set_cookie = Csrf(KEY, secure).issue(request())
    assert set_cookie is not None
    ((name, morsel),) = SimpleCookie(set_cookie).items()
    assert name == ("__Host-csrf" if secure else "csrf")
    assert (morsel["path"], morsel["domain"], morsel["samesite"]) == ("/", "", "Lax")
    assert morsel["httponly"]
    assert bool(morsel["secure"]) is secure


def test_a_cookie_of_another_shape_is_replaced(csrf: Csrf) -> None:
    _, set_cookie = csrf.issue(request("csrf=planted"))
    assert set_cookie is not None


def test_a_token_belongs_to_cookie_session_and_tenant(csrf: Csrf) -> None:
    token, cookie = issue(csrf, session_id="s1")
    _, another = issue(csrf)
    for wrong in (
        request(None, session_id="s1"),
        request(another, session_id="s1"),
        request(cookie, session_id="s2"),
        request(cookie, session_id=None),
        request(cookie, OTHER, session_id="s1"),
        request(cookie, None, session_id="s1"),
    ):
        with pytest.raises(CsrfError):
            csrf.check(wrong, {FIELD: token})


def test_a_changed_token_is_refused(csrf: Csrf) -> None:
    token, cookie = issue(csrf)
    flipped = ("B" if token[0] == "A" else "A") + token[1:]
    ended = token[:-3] + ("Q" if token[-3] == "A" else "A") + "=="
    for wrong in ("", "x", flipped, ended, token + "A", token.replace("=", ""), cookie, "ä" * 88):
        with pytest.raises(CsrfError):
            csrf.check(request(cookie), {FIELD: wrong})
    with pytest.raises(CsrfError):
        csrf.check(request(cookie), {})


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"origin": "http://acme.localhost:8000"}, True),
        ({"origin": "http://ACME.localhost:8000", "sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"origin": "https://acme.localhost:8000"}, False),
        ({"origin": "http://acme.localhost"}, False),
        ({"origin": "http://acme.localhost:8000.evil.example"}, False),
        ({"origin": "http://other.localhost:8000"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://acme.localhost:8000", "sec-fetch-site": "cross-site"}, False),
    ],
)
def test_the_browser_has_a_say(csrf: Csrf, headers: dict[str, str], passes: bool) -> None:
    token, cookie = issue(csrf)
    if passes:
        csrf.check(request(cookie, headers=headers), {FIELD: token})
    else:
        with pytest.raises(CsrfError):
            csrf.check(request(cookie, headers=headers), {FIELD: token})


def test_behind_a_proxy_the_origin_is_https() -> None:
    secure = Csrf(KEY, secure=True)
    token, cookie = issue(secure)
    secure.check(request(cookie, headers={"origin": "https://acme.localhost:8000"}), {FIELD: token})
    with pytest.raises(CsrfError):
        secure.check(request(cookie, headers={"origin": "http://acme.localhost:8000"}), {FIELD: token})


async def test_read_form_takes_what_our_page_sent(csrf: Csrf) -> None:
    token, cookie = issue(csrf)
    body = urlencode({FIELD: token, "name": "Ünal", "empty": ""}).encode()
    form = await read_form(posted(csrf, body, cookie))
    assert form == {FIELD: token, "name": "Ünal", "empty": ""}


@pytest.mark.parametrize("body", [b"\xff", b"name=%ff", b"&".join(b"a=1" for _ in range(65))])
async def test_read_form_refuses_what_is_none(csrf: Csrf, body: bytes) -> None:
    with pytest.raises(PageError):
        await read_form(posted(csrf, body))


async def test_read_form_refuses_a_form_without_token(csrf: Csrf) -> None:
    _, cookie = issue(csrf)
    with pytest.raises(CsrfError) as refused:
        await read_form(posted(csrf, b"name=x", cookie))
    assert refused.value.status == 403
    assert "reload" in refused.value.detail
