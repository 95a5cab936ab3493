from urllib.parse import quote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.identity.browser import safe_target
from saas.identity.users import User
from tests.unit.saas.identity.world import Browser

ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/ /evil.example",
    "https://evil.example",
    "https:evil.example",
    "https:/evil.example",
    "HTTPS://evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "@evil.example",
    ".evil.example",
    "/..//evil.example",
    "/.//evil.example",
    "/a/..//evil.example",
    "/%2e%2e//evil.example",
    "/%2e/x",
    "/a/..",
    "/a//b",
    "/account#fragment",
    "/account\r\nSet-Cookie: a=b",
    "/account\x00",
    "/\u2215evil.example",
    "/é",
    "/account?next=\\evil",
    '/account?"><script>',
    "",
    "?a=b",
    "/" + "a" * 8000,
]


@pytest.mark.parametrize("value", ELSEWHERE)
def test_what_could_lead_elsewhere_is_no_target(value: str) -> None:
    assert safe_target(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "/",
        "/account",
        "/account/",
        "/oauth2/authorize?client_id=app_1&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&scope=openid%20a:b&state=x/y?z",
        "/oauth2/authorize?redirect_uri=https://app.example/cb",
        "/a.b/c-d_e~f",
        "/%2F%2Fevil.example",
        "/a/...",
    ],
)
def test_a_path_of_this_host_is_a_target(value: str) -> None:
    assert safe_target(value) == value


@given(st.text(alphabet=st.sampled_from("/\\.:@%?#&=ae25fF \t\n"), max_size=12))
def test_every_target_stays_on_the_host(value: str) -> None:
    if safe_target("/" + value) is not None:
        assert urlsplit(urljoin("https://acme.example/signin", "/" + value)).netloc == "acme.example"
        assert "//" not in ("/" + value).split("?")[0]


async def test_sign_in_leads_to_the_account_page_instead(browser: Browser, ann: User) -> None:
    encoded_twice = "%2F%2Fevil.example"
    for value in ("//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", encoded_twice):
        answer = await browser.sign_in(query=f"?return_to={quote(value, safe='')}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")


async def test_sign_in_leads_where_it_was_asked_to(browser: Browser, ann: User) -> None:
    answer = await browser.sign_in(query="?return_to=/device%3Fuser_code%3DABCD")
    assert answer.headers["location"] == "/device?user_code=ABCD"
