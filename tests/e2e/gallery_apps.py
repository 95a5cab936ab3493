"""The console's pages of apps for the gallery."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from saas.access.administration import ADMINISTRATION
from saas.console.app_forms import Typed
from saas.console.app_trial import trial_of
from saas.kit.clock import utc_now
from saas.oauth.grants.connections import Connected, Held
from saas.oauth.kinds import KINDS
from saas.oauth.registered import ClientInfo
from saas.oauth.scopes import SCOPES
from tests.e2e.gallery_console import framed

_NOW: Final = utc_now()
_LONG: Final = "Bundesverband der Donaudampfschifffahrtsgesellschaften und verwandter Betriebe eV"
_LONG_EMAIL: Final = "maximiliane.von-und-zu-hohenstein-bartenstein@mail.subsidiary.donaudampfschifffahrt.example.com"
_LONG_URI: Final = f"https://{'very-' * 10}long.example/{'path/' * 20}"
_ALL: Final = [*SCOPES, *ADMINISTRATION]


def _app(kind: str, name: str, number: int, **changes: Any) -> ClientInfo:
    values: dict[str, Any] = {
        "id": UUID(int=number),
        "client_id": f"app_{number:032x}",
        "name": name,
        "kind": KINDS[kind],
        "grant_types": KINDS[kind].grant_types,
        "scopes": tuple(scope.name for scope in SCOPES),
        "default_scopes": tuple(scope.name for scope in SCOPES),
        "auth_method": KINDS[kind].auth_method,
        "redirect_uris": (),
        "post_logout_redirect_uris": (),
        "backchannel_logout_uri": None,
        "jwks": None,
        "resources": (),
        "first_party": False,
        "id_token_signed_response_alg": "ES256",
        "secret_ends": (None,),
        "created_at": _NOW - timedelta(days=number),
        "updated_at": _NOW,
        "revoked_at": None,
    }
    return ClientInfo(**values | changes)


_FULL: Final = _app(
    "web",
    _LONG,
    2,
    redirect_uris=(_LONG_URI, "https://a.example/"),
    post_logout_redirect_uris=(_LONG_URI,),
    backchannel_logout_uri=_LONG_URI,
    first_party=True,
    secret_ends=(_NOW + timedelta(days=3), None),
)
_APPS: Final = [_app(kind, f"Ledger Sync {number}", number) for number, kind in enumerate(KINDS, 3)]
_HELD: Final = Held(12_345, 67_890, _NOW - timedelta(hours=3))


def _one(app: ClientInfo, **changes: Any) -> dict[str, Any]:
    plain = {
        "app": app,
        "here": f"/console/apps/{app.client_id}",
        "secret": None,
        "editable": True,
        "within": True,
        "scopes": _ALL,
        "held": _HELD,
        "trial": trial_of(app, "https://acme.example.com"),
    }
    return framed("apps", **plain | changes)


def _form(kind: str, **changes: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "kind": KINDS[kind],
        "app": None,
        "back": "/console/apps",
        "typed": Typed(),
        "scopes": _ALL,
        "errors": {},
    }
    return framed("apps", **plain | changes)


def _list(**changes: Any) -> dict[str, Any]:
    plain = {
        "apps": [],
        "held": {},
        "nothing": Held(),
        "count": 0,
        "cap": None,
        "query": "",
        "first": None,
        "next": None,
    }
    return framed("apps", **plain | changes)


_CONNECTED: Final = [
    Connected(
        *(UUID(int=number), _LONG_EMAIL if number else "ada@example.com", "" if number else "Ada Byron"),
        *(UUID(int=number), f"app_{number}", _LONG if number else "Notes"),
        ["openid", "email", "users:write", "gone:scope"],
        _NOW - timedelta(days=number),
        _NOW if number else None,
    )
    for number in range(3)
]
_WRONG: Final = {"name": "Give it a name that people will recognise.", "redirect_uris": "Line 2: use https."}

APPS_PAGES: Final[list[tuple[str, str, dict[str, Any], str]]] = [
    ("console-apps-none", "console/apps.html", _list(), "acme"),
    (
        "console-apps-full",
        "console/apps.html",
        _list(apps=[_FULL, *_APPS], held={_FULL.id: _HELD}, count=6, cap=6, first="/", next="/"),
        "long",
    ),
    ("console-app", "console/app.html", _one(_FULL, secret="q" * 43), "long"),
    ("console-app-machine", "console/app.html", _one(_APPS[3], within=False), "lemon"),
    ("console-app-kinds", "console/app_kinds.html", framed("apps", kinds=list(KINDS.values())), "ink"),
    ("console-app-new", "console/app_form.html", _form("machine", typed=Typed(by_keys=True)), "acme"),
    (
        "console-app-wrong",
        "console/app_form.html",
        _form("web", app=_FULL, typed=Typed(_LONG, _LONG_URI, scopes=["users:write"], first_party=True), errors=_WRONG),
        "long",
    ),
    (
        "console-app-secret",
        "console/app_secret.html",
        framed("apps", app=_FULL, here="/", overlaps=[("24", "for a day")], errors={"form": "Ten are still valid."}),
        "acme",
    ),
    ("console-app-delete", "console/app_delete.html", framed("apps", app=_FULL, here="/", held=_HELD), "long"),
    (
        "console-consents",
        "console/consents.html",
        framed(
            "consents",
            connected=_CONNECTED,
            words={scope.name: scope for scope in _ALL},
            app=_FULL,
            asked={"app": "app_2"},
            first=None,
            next="/",
        ),
        "long",
    ),
]
