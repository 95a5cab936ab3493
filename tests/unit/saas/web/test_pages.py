import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from jinja2 import UndefinedError, meta
from jinja2.nodes import FromImport, Include, Macro
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import saas
from saas.kit.clock import utc_now
from saas.web import pages
from saas.web.csrf import Csrf, CsrfError, read_form
from saas.web.pages import error_page, go_on, handle_page_error, render
from saas.web.problems import PageError
from tests.e2e.gallery import SAMPLES
from tests.factories import TenantFactory

ROOT = Path(saas.__file__).parent
TEMPLATES = {
    f"{path.parent.parent.relative_to(ROOT)}/{path.name}": path.read_text()
    for path in sorted(ROOT.glob("**/templates/*.html"))
    if path.name != "docs.html"  # the API's reference brings a script and a policy of its own
}
#: What `render` gives to every page.
AMBIENT = {"tenant", "branding", "csrf", "asset"}
#: And `render_console` to those of the console.
IN_CONSOLE = {"active", "flash", "may", "navigation", "person"}
NO_ERRORS: dict[str, Any] = {"email": "", "errors": {}}


def scope(**more: Any) -> dict[str, Any]:
    app = Starlette()
    app.state.csrf = Csrf(bytes(32), secure=False)
    return {"type": "http", "headers": [], "app": app, "tenant": TenantFactory(), **more}


def text(response: Response) -> str:
    return bytes(response.body).decode()


def policy(response: Response) -> dict[str, str]:
    parts = response.headers["content-security-policy"].split("; ")
    return dict(part.partition(" ")[::2] for part in parts)


def test_a_page_holds_the_tenants_name_and_a_form_token() -> None:
    response = render(scope(), "identity/reset_request.html", **NO_ERRORS)
    assert "<title>Reset your password · Acme</title>" in text(response)
    assert re.search(r'name="csrf" value="[A-Za-z0-9_-]{86}=="', text(response))
    assert response.headers["set-cookie"].startswith("csrf=")


def test_all_forms_of_a_page_hold_the_token_of_its_one_cookie() -> None:
    sample = next(sample for sample in SAMPLES if sample.name == "account")
    response = render(scope(), sample.template, **sample.context)
    tokens = re.findall(r'name="csrf" value="([^"]+)"', text(response))
    assert len(tokens) > 5
    assert len(set(tokens)) == 1


def test_a_page_without_a_form_sets_no_cookie() -> None:
    assert "set-cookie" not in render(scope(), "identity/link_invalid.html", kind="reset").headers


def test_a_pages_policy_admits_nothing_inline_and_no_frame() -> None:
    response = render(scope(), "identity/reset_request.html", 422, **NO_ERRORS)
    assert response.status_code == 422
    assert policy(response) == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
    }
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("targets", "sources"),
    [
        (("https://app.example/cb",), "'self' https:"),
        (("http://127.0.0.1:4711/cb",), "'self' http: https:"),
        (("http://[::1]:4711/cb",), "'self' http: https:"),
        (("com.example.app:/cb",), "'self' com.example.app:"),
        (("", "/relative", "evil;script-src *:x", "*://x"), "'self'"),
    ],
)
def test_a_form_may_lead_to_the_client(targets: tuple[str, ...], sources: str) -> None:
    response = render(scope(), "identity/reset_request.html", form_action=targets, **NO_ERRORS)
    assert policy(response)["form-action"] == sources


def test_what_a_page_shows_is_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    response = render(
        scope(tenant=TenantFactory(name=evil)), "identity/reset_request.html", email=evil, errors={"email": evil}
    )
    assert "<script" not in text(response)
    assert text(response).count("&lt;script&gt;") >= 4


def test_a_missing_value_is_an_error_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        render(scope(), "identity/reset_sent.html", email="ada@example.com")


def test_the_browser_goes_on_by_itself_or_by_hand() -> None:
    page = text(go_on(scope(), "/oauth2/authorize?a=1&b=2"))
    assert '<meta http-equiv="refresh" content="0;url=/oauth2/authorize?a=1&amp;b=2">' in page
    assert 'href="/oauth2/authorize?a=1&amp;b=2"' in page


def test_an_error_page_needs_no_tenant_and_names_the_request() -> None:
    bare = {"type": "http", "headers": []}
    assert "<title>Nothing is here</title>" in text(error_page(bare, 404, "Nothing is here", "Check the address."))
    named = text(error_page(scope(request_id="r-12345678"), 400, "No", "Try again."))
    assert "r-12345678" in named


async def test_a_page_error_is_a_page() -> None:
    async def refuse(_: Request) -> Response:
        raise PageError("Do that.", headers={"Retry-After": "7"})

    async def submit(request: Request) -> Response:
        await read_form(request)
        return Response()

    app = Starlette(
        routes=[Route("/refuse", refuse), Route("/submit", submit, methods=["POST"])],
        exception_handlers={PageError: handle_page_error},
    )
    app.state.csrf = Csrf(bytes(32), secure=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        refused = await http.get("/refuse")
        assert (refused.status_code, refused.headers["retry-after"]) == (400, "7")
        assert "Do that." in refused.text
        forged = await http.post("/submit", data={"csrf": "x"})
        assert forged.status_code == 403
        assert CsrfError.title in forged.text
        assert "go back" in forged.text.lower()


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(minutes=60), "1 hour ago"),
        (timedelta(hours=23), "23 hours ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=29), "29 days ago"),
    ],
)
def test_a_moment_in_words(ago: timedelta, words: str) -> None:
    assert _filter("ago")(utc_now() - ago) == words


def test_a_moment_long_ago_is_a_date() -> None:
    moment = utc_now().replace(year=2020, month=3, day=4)
    assert _filter("ago")(moment) == "on 4 March 2020"


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_says_what_it_must_be_given(name: str) -> None:
    listed = re.findall(r"^     (\w+(?:, \w+)*): ", TEMPLATES[name].partition("#}")[0], re.MULTILINE)
    ambient = AMBIENT | IN_CONSOLE if name.startswith("console/") else AMBIENT
    assert {each for names in listed for each in names.split(", ")} == _needed(name) - ambient


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_holds_nothing_inline(name: str) -> None:
    of_ours = r"""<script(?! src="\{\{ asset\('[a-z]+\.js'\) \}\}" defer></script>)"""
    sent = re.sub(r"\{#.*?#\}", "", TEMPLATES[name], flags=re.DOTALL)
    assert not re.search(of_ours + r"|<style|\sstyle=|\son[a-z]+=|javascript:|\|\s*safe", sent)


def test_the_gallery_shows_every_page() -> None:
    shown = {sample.template for sample in SAMPLES}
    assert set(TEMPLATES) - shown == {
        *("web/base.html", "web/forms.html", "web/continue.html"),
        # No pages: parts of some.
        *("identity/passkey_form.html", "console/frame.html", "console/parts.html", "console/whom.html"),
        *("console/charts.html", "console/events.html"),
        # The application makes the stylesheet of its examples: tests/e2e/test_console_settings.py looks at it there.
        "console/branding.html",
    }


def _needed(name: str) -> set[str]:
    """What the template and those that it includes take from the context."""
    parsed = pages._environment.parse(TEMPLATES[name])
    imported = {
        each if isinstance(each, str) else each[1] for node in parsed.find_all(FromImport) for each in node.names
    }
    # A macro is no context, though Jinja counts one as such where a block, a scope of its own, calls it.
    own = imported | {macro.name for macro in parsed.find_all(Macro)}
    included = (_needed(node.template.as_const()) for node in parsed.find_all(Include))
    return (meta.find_undeclared_variables(parsed) - own).union(*included)


def _filter(name: str) -> Callable[..., str]:
    found: Callable[..., str] = pages._environment.filters[name]
    return found
