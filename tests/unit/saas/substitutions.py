"""What one tenant hands out, carried to the endpoints of another, and how it is refused there."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from httpx import Response

from saas.authserver.device import GRANT_TYPE as DEVICE
from tests.unit.saas.identity.world import Browser
from tests.unit.saas.oauth.flow import App
from tests.unit.saas.side import Side

#: (method, path as it is routed)
Endpoint = tuple[str, str]
#: With what is theirs, at a place of ours.
Attempt = Callable[[Side, Side], Awaitable[Response]]
Refused = Callable[[Response], bool]
#: Of them and us.
FormOf = Callable[[Side, Side], dict[str, str]]
UrlOf = Callable[[Side, Side], str]

TOKEN, AUTHORIZE, LOGOUT = "/oauth2/token", "/oauth2/authorize", "/oauth2/logout"
#: They tell everybody the same, and take nothing of anybody's.
OPEN = {
    ("GET", path)
    for path in (
        *("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"),
        # One tenant's logo at another's host: tests/unit/tenants/test_branding.py.
        *("/static/brand.css", "/static/brand.svg", "/static/{name}", "/static/logo/{name}"),
        *("/oauth2/jwks", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"),
    )
}
_ASKING_FOR_PASSKEYS = ("/signin", "/signin/second", "/signin/enrol", "/confirm")
#: What an administrator does to somebody with a button.
_DEEDS = ("disable", "enable", "end-sessions", "reset-factors", "resend-invitation", "withdraw-invitation")
#: For people, with the form that they send there.
FORMS: dict[str, dict[str, str]] = {
    AUTHORIZE: {"decision": "allow", "scopes": "openid"},
    "/device": {"decision": "allow", "scopes": "openid"},
    LOGOUT: {"decision": "signout"},
    "/signin": {"email": "ann@people.example", "password": "seven green lamps"},
    "/signout": {},
    "/account/profile": {"name": "Eve"},
    "/account/password": {"current_password": "seven green lamps", "new_password": "nine quiet rivers"},
    "/account/sessions/end": {"session": str(uuid4())},
    "/account/sessions/end-others": {},
    "/account/apps/revoke": {},
    "/confirm": {"password": "seven green lamps"},
    "/account/security/totp": {"secret": "s", "code": "123456"},
    **{f"/account/security/{path}": {} for path in ("totp/remove", "codes", "passkeys", "passkeys/rename")},
    "/account/security/passkeys/remove": {"passkey": str(uuid4())},
    "/signin/second": {"code": "123456"},
    "/signin/enrol": {"secret": "s", "code": "123456"},
    **{f"{path}/passkey": {"state": "s", "credential": "{}"} for path in _ASKING_FOR_PASSKEYS},
    **{f"/console/{path}": {} for path in ("security/policy", "branding", "branding/logo", "branding/logo/remove")},
    **{f"/console/domains{path}": {"host": "login.people.example"} for path in ("", "/look", "/remove")},
    "/console/people/invite": {"emails": "eve@people.example", "roles": "member"},
    "/console/people/{user_id}": {"name": "Eve", "roles": "member"},
    **{f"/console/people/{{user_id}}/{deed}": {} for deed in _DEEDS},
    "/console/new-role": {"name": "support", "scopes": "projects:read"},
    "/console/roles/{name}": {"scopes": "projects:read"},
    "/console/roles/{name}/delete": {},
    "/console/audit/verify": {},
    "/console/keys/rotate": {"algorithm": "ES256"},
    "/console/audit/export": {"format": "csv"},
    "/console/apps/new": {"kind": "machine", "name": "Eve", "scopes": "projects:read"},
    "/console/apps/{client_id}/edit": {"name": "Eve", "scopes": "openid"},
    **{f"/console/apps/{{client_id}}/{deed}": {} for deed in ("secret", "revoke-tokens", "delete")},
    "/console/consents/revoke": {},
    "/reset": {"email": "ann@people.example"},
    "/reset/{token}": {"new_password": "nine quiet rivers"},
    "/invitation/{token}": {"name": "Eve", "new_password": "nine quiet rivers"},
}
PAGES = {
    *(("POST", path) for path in FORMS),
    *(("GET", path) for path in (AUTHORIZE, "/device", LOGOUT, "/signin", "/signout", "/account")),
    *(("GET", path) for path in ("/signin/second", "/signin/enrol", "/confirm", "/account/security")),
    *(("GET", path) for path in ("/account/security/totp", "/account/security/passkeys")),
    *(("GET", f"/console/{path}") for path in ("security", "security/policy", "keys", "domains", "branding")),
    ("GET", "/console/branding/preview.css"),
    *(("GET", path) for path in ("/reset", "/reset/{token}", "/invitation/{token}")),
    *(("GET", f"/console{path}") for path in ("", "/plan", "/audit", "/audit/{event_id}", "/{path:path}")),
    *(("GET", f"/console/apps{path}") for path in ("", "/new", "/{client_id}")),
    *(("GET", f"/console/apps/{{client_id}}/{path}") for path in ("edit", "secret", "delete")),
    ("GET", "/console/consents"),
    *(("GET", f"/console/people{path}") for path in ("", "/invite", "/{user_id}")),
    *(("GET", path) for path in ("/console/roles", "/console/new-role", "/console/roles/{name}")),
}
#: What the owner of a token may call.
RESOURCES = {("GET", "/oauth2/userinfo"), ("POST", "/oauth2/userinfo")}


def refusal(error: str) -> Refused:
    return lambda answer: answer.status_code in {400, 401} and answer.json()["error"] == error


def status(*codes: int) -> Refused:
    return lambda answer: answer.status_code in codes and "location" not in answer.headers


def told_nothing(answer: Response) -> bool:
    """A stranger: sent to sign in, or shown what strangers are shown."""
    if answer.is_redirect:
        return answer.headers["location"].startswith(("/signin", "/signout"))
    return "Ann" not in answer.text and "ann@people" not in answer.text


def asked_whether(answer: Response) -> bool:
    """Nobody is signed out: the person is asked."""
    return answer.status_code == 200 and 'name="decision"' in answer.text


def posted(path: str, form: FormOf) -> Attempt:
    return lambda theirs, ours: ours.browser.http.post(path, data=form(theirs, ours))


def _by_our_client(form: Callable[[Side, App], dict[str, str]]) -> FormOf:
    """Sent by our client, with the verifier that belongs to their code."""
    return lambda theirs, ours: form(theirs, replace(ours.app, verifier=theirs.app.verifier))


def _by_their_client(form: Callable[[Side, App], dict[str, str]]) -> FormOf:
    return lambda theirs, _: form(theirs, theirs.app)


def _about(kind: str) -> FormOf:
    return lambda theirs, ours: ours.credentials | {"token": theirs.tokens[kind]}


def _mailed(name: str) -> UrlOf:
    return lambda theirs, _: f"/{name}/{getattr(theirs, name)}"


def _asking(parameters: FormOf) -> UrlOf:
    return lambda theirs, ours: f"{AUTHORIZE}?{urlencode(parameters(theirs, ours))}"


def _at_client_endpoints() -> Iterator[tuple[str, Endpoint, Attempt, Refused]]:
    def say(name: str, path: str, form: FormOf, refused: Refused) -> Any:
        return name, ("POST", path), posted(path, form), refused

    grants: dict[str, Callable[[Side, App], dict[str, str]]] = {
        "code": lambda theirs, app: app.redemption(theirs.code),
        "refresh token": lambda theirs, app: app.refresh(theirs.tokens["refresh_token"]),
        "device code": lambda theirs, app: {
            "grant_type": DEVICE,
            "device_code": theirs.device_code,
            "client_id": app.client_id,
            "client_secret": app.secret,
        },
    }
    for name, form in grants.items():
        yield say(name, TOKEN, _by_our_client(form), refusal("invalid_grant"))
        yield say(f"{name} and client", TOKEN, _by_their_client(form), refusal("invalid_client"))
    own = {"grant_type": "client_credentials"}
    everything = {**own, "token": "x", "scope": "openid"}
    yield say("client key", TOKEN, lambda t, o: own | o.assertion(t.key), refusal("invalid_client"))
    yield say("client assertion", TOKEN, lambda t, o: own | t.assertion(t.key), refusal("invalid_client"))
    for path in (TOKEN, "/oauth2/device_authorization", "/oauth2/par", "/oauth2/introspect", "/oauth2/revoke"):
        yield say("client", path, lambda t, o: everything | t.credentials, refusal("invalid_client"))
    for kind in ("access_token", "refresh_token", "id_token"):
        yield say(kind, "/oauth2/introspect", _about(kind), lambda answer: answer.json() == {"active": False})
        # Whether there is such a token or not is not told (RFC 7009 section 2.2).
        yield say(kind, "/oauth2/revoke", _about(kind), status(200))


def _stranger(theirs: Side, ours: Side) -> Browser:
    """A browser at our tenant with all cookies of theirs."""
    browser = Browser(ours.site, ours.tenant)
    for cookie in theirs.browser.http.cookies.jar:
        browser.http.cookies.set(cookie.name, cookie.value or "", domain=ours.tenant.host, path="/")
    browser.token = theirs.browser.token
    return browser


def _address(path: str, ours: Side) -> str:
    """Where our own person would send a form, or look."""
    query = f"?{urlencode(ours.app.request(prompt='consent'))}" if path == AUTHORIZE else ""
    token = ours.reset if path.startswith("/reset/") else ours.invitation
    parts = {
        "{token}": token,
        "{path:path}": "nothing",
        "{user_id}": str(ours.user_id),
        "{client_id}": ours.app.client_id,
        "{name}": "support",
    }
    for parameter, part in parts.items():
        path = path.replace(parameter, part)
    return path + query


def _at_pages() -> Iterator[tuple[str, Endpoint, Attempt, Refused]]:
    """Their cookies and form tokens; both, and each with the other of ours."""
    for method, path in sorted(PAGES):

        async def visit(theirs: Side, ours: Side, path: str = path) -> Response:
            return await _stranger(theirs, ours).http.get(_address(path, ours))

        async def send(theirs: Side, ours: Side, path: str = path) -> Response:
            more = {"user_code": ours.user_code} if path == "/device" else {"app": ours.app.client_id}
            stranger = _stranger(theirs, ours)
            return await stranger.post(_address(path, ours), **FORMS[path], **more)

        async def send_as_ours(theirs: Side, ours: Side, path: str = path) -> Response:
            more = {"user_code": ours.user_code} if path == "/device" else {"app": ours.app.client_id}
            form = FORMS[path] | more | {"csrf": theirs.browser.token}
            return await ours.browser.http.post(_address(path, ours), data=form)

        if method == "GET" and "{token}" not in path:
            yield "session", (method, path), visit, told_nothing
        elif method == "POST":
            yield (
                "session and form",
                (method, path),
                send,
                lambda answer: answer.status_code == 403 or (answer.is_redirect and told_nothing(answer)),
            )
            # Before the form is looked at, nobody is on the way in: this person is already there.
            half_way = path.startswith(("/signin/second", "/signin/enrol"))
            yield "form", (method, path), send_as_ours, told_nothing if half_way else status(403)


def _at_secret_addresses() -> Iterator[tuple[str, Endpoint, Attempt, Refused]]:
    """What stands in an address or a field of a page."""
    for name in ("reset", "invitation"):
        path = f"/{name}/{{token}}"
        yield f"{name} link", ("GET", path), _get(_mailed(name)), status(404)

        async def use(theirs: Side, ours: Side, name: str = name, path: str = path) -> Response:
            await ours.browser.get(f"/{name}/{getattr(ours, name)}")
            return await ours.browser.post(f"/{name}/{getattr(theirs, name)}", **FORMS[path])

        yield f"{name} link", ("POST", path), use, status(404)
    yield "user code", ("GET", "/device"), _get(lambda t, o: f"/device?user_code={t.user_code}"), status(422)
    for name, more in (("user code", {}), ("decided user code", FORMS["/device"])):

        async def enter(theirs: Side, ours: Side, more: dict[str, str] = more) -> Response:
            await ours.browser.get("/device")
            return await ours.browser.post("/device", user_code=theirs.user_code, **more)

        yield name, ("POST", "/device"), enter, status(422)
    requests: dict[str, FormOf] = {
        "client": lambda t, o: t.app.request(),
        "request_uri": lambda t, o: {"client_id": o.app.client_id, "request_uri": t.request_uri},
        "request_uri and client": lambda t, o: {"client_id": t.app.client_id, "request_uri": t.request_uri},
    }
    for name, request in requests.items():
        yield name, ("GET", AUTHORIZE), _get(_asking(request)), status(400)
    yield "ID token hint", ("GET", LOGOUT), _get(lambda t, o: _hint(t.tokens["id_token"])), asked_whether
    for kid_of in ("theirs", "ours"):

        async def hint(theirs: Side, ours: Side, kid_of: str = kid_of) -> Response:
            token = await theirs.forge(ours, "JWT", ours if kid_of == "ours" else theirs)
            return await ours.browser.http.get(_hint(token))

        yield f"key under the kid of {kid_of}", ("GET", LOGOUT), hint, asked_whether


def _get(url: UrlOf) -> Attempt:
    return lambda theirs, ours: ours.browser.http.get(url(theirs, ours))


def _hint(token: str) -> str:
    return f"{LOGOUT}?{urlencode({'id_token_hint': token})}"


ATTEMPTS = [*_at_client_endpoints(), *_at_pages(), *_at_secret_addresses()]
