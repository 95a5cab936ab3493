"""Every page with contexts like those of real life: short and long, empty and full, right and wrong."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from saas.access.scopes import Scope
from saas.identity.factors import Factors
from saas.identity.passkeys import Ceremony, Passkey
from saas.identity.totp import in_groups, key_uri, qr_code
from saas.kit.clock import utc_now
from tests.e2e.gallery_apps import APPS_PAGES
from tests.e2e.gallery_console import CONSOLE_PAGES
from tests.e2e.gallery_people import PEOPLE_PAGES
from tests.e2e.gallery_settings import SETTINGS_PAGES

_NOW: Final = utc_now()
_LONG: Final = "Bundesverband der Donaudampfschifffahrtsgesellschaften und verwandter Betriebe"
_LONG_EMAIL: Final = "maximiliane.von-und-zu-hohenstein-bartenstein@mail.subsidiary.donaudampfschifffahrt.example.com"
_TOO_SHORT: Final = "Use at least 10 characters."


@dataclass(frozen=True)
class User:
    name: str = "Ada Byron"
    email: str = "ada@example.com"


@dataclass(frozen=True)
class Sample:
    """One page to look at. `host` chooses the tenant of the gallery."""

    name: str
    template: str
    context: dict[str, Any] = field(default_factory=dict)
    host: str = "acme"


SCOPES: Final = (
    Scope("openid", "Know who you are", "Your profile"),
    Scope("profile", "See your name", "Your profile"),
    Scope("email", "See your e-mail address", "Your profile"),
    Scope("projects:read", "See your projects and their tasks", "Projects"),
    Scope("projects:write", "Create and change projects", "Projects"),
    Scope("projects:delete", "Delete projects for good, with everything in them", "Projects", sensitive=True),
    Scope("members:read", "See who works here, and in which role", "People"),
    Scope("members:write", "Invite people, change their roles and remove them", "People", sensitive=True),
    Scope("offline_access", "Keep this access while you are away", "When you are away"),
)


def _session(number: int, device: str, **ago: float) -> dict[str, Any]:
    return {
        "id": str(UUID(int=number)),
        "device": device,
        "address": "2001:db8:85a3:8d3:1319:8a2e:370:7348" if number % 3 == 2 else f"203.0.113.{number}",
        "last_seen": _NOW - timedelta(**ago),
        "current": number == 1,
    }


_SESSIONS: Final = [
    _session(1, "Firefox on Linux"),
    _session(2, "Safari on iPhone", minutes=12),
    _session(3, "Chrome on Windows", days=3),
]
_APPS: Final = [
    {"id": "1", "name": "Ledger Sync", "since": _NOW - timedelta(days=80), "scopes": ["See your name"]},
    {"id": "2", "name": _LONG, "since": _NOW - timedelta(hours=5), "scopes": [scope.description for scope in SCOPES]},
]


_CEREMONY: Final = Ceremony('{"challenge": "x"}', "s")
_NO_FACTORS: Final = Factors(totp=False, passkeys=0, recovery_codes=0, required=False)
_FACTORS: Final = Factors(totp=True, passkeys=3, recovery_codes=2, required=True)
_KEY: Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
_CODES: Final = ["h7k2m-9pqrs-tvwxy-z2345", *(f"a{n}bcd-efghj-kmnpq-rstuv" for n in range(2, 11))]
_PASSKEYS: Final = [
    Passkey(UUID(int=number), name, host, synced, _NOW - timedelta(days=40 * number), used)
    for number, name, host, synced, used in (
        (1, "Chrome on Windows", "acme.localhost", False, _NOW - timedelta(minutes=5)),
        (2, "Phone", "acme.localhost", True, None),
        (3, _LONG[:60], "login.donaudampfschifffahrt.example", True, _NOW - timedelta(days=90)),
    )
]


def _totp(**changes: Any) -> dict[str, Any]:
    plain = {
        "required": False,
        "qr": qr_code(key_uri(_KEY, "ada@example.com", "Acme")),
        "key": in_groups(_KEY),
        "hidden": {"secret": "s"},
        "email": "ada@example.com",
        "passkey": None,
        "passkey_action": "",
        "back": "/account/security",
        "errors": {},
    }
    return plain | changes


def _second(**changes: Any) -> dict[str, Any]:
    plain = {
        "email": "ada@example.com",
        "totp": True,
        "passkey": _CEREMONY,
        "passkey_action": "/signin/second/passkey",
        "issuer": None,
        "back": "/signin",
        "errors": {},
    }
    return plain | changes


def _confirm(**changes: Any) -> dict[str, Any]:
    plain = {"user": User(), "unsent": False, "passkey": None, "passkey_action": "", "errors": {}}
    return plain | changes


def _security(**changes: Any) -> dict[str, Any]:
    return {"user": User(), "factors": _NO_FACTORS, "passkeys": [], "notice": None, "errors": {}} | changes


def _account(**changes: Any) -> dict[str, Any]:
    plain = {
        "user": User(),
        "console": True,
        "min_length": 10,
        "factors": _NO_FACTORS,
        "sessions": _SESSIONS,
        "apps": _APPS,
        "notice": None,
        "errors": {},
    }
    return plain | changes


def _consent(**changes: Any) -> dict[str, Any]:
    plain = {
        "app_name": "Ledger Sync",
        "destination": "app.ledger-sync.example",
        "user": User(),
        "switch_url": "/signin",
        "scopes": SCOPES[:4],
        "new": frozenset(),
        "hidden": {"request": "r1"},
    }
    return plain | changes


def _signin(**changes: Any) -> dict[str, Any]:
    passkey = {"passkey": _CEREMONY, "passkey_action": "/signin/passkey"}
    return {"email": "", "app_name": None, "notice": None, "errors": {}} | passkey | changes


_WRONG: Final = {"form": "The e-mail address or the password is not right. Try again, or reset your password."}
_MISSING: Final = {"email": "Enter your e-mail address.", "password": "Enter your password."}
_LAST: Final = "A second factor is required of you here: add another one before you remove this one."
_DEVICE: Final = {"app_name": "Living Room TV", "user_code": "WDJB-MJHT", "user": User(), "switch_url": "/signin"}
_CODE_ERROR: Final = "There is no such code, or it has expired. Look at your device again."
_MAIL: Final = "Somebody asked to reset the password of your account at Acme.\n\nIf it was you, open this link:"
_MESSAGES: Final = [
    {
        "to": email,
        "subject": subject,
        "sent_at": _NOW - timedelta(minutes=minutes),
        "text": _MAIL,
        "links": ["http://acme.localhost:8000/reset/" + "Zk3x" * 12],
    }
    for email, subject, minutes in (
        ("ada@example.com", "Choose a new password", 1),
        (_LONG_EMAIL, f"Grace Hopper invites you to {_LONG}", 50),
    )
]

SAMPLES: Final = (
    Sample("signin", "identity/signin.html", _signin()),
    Sample("signin-app", "identity/signin.html", _signin(email="ada@example.com", app_name="Ledger Sync")),
    Sample("signin-wrong", "identity/signin.html", _signin(email="ada@example.com", errors=_WRONG)),
    Sample("signin-missing", "identity/signin.html", _signin(errors=_MISSING)),
    Sample(
        "signin-notice", "identity/signin.html", _signin(notice="Your password is changed. Sign in with it."), "lemon"
    ),
    Sample("signin-long", "identity/signin.html", _signin(email=_LONG_EMAIL, app_name=_LONG), "long"),
    Sample("account", "identity/account.html", _account()),
    Sample("account-new", "identity/account.html", _account(sessions=_SESSIONS[:1], apps=[]), "ink"),
    Sample("account-saved", "identity/account.html", _account(notice="Your name is changed.", apps=_APPS[:1]), "lemon"),
    Sample(
        "account-wrong",
        "identity/account.html",
        _account(errors={"current_password": "This is not your password.", "new_password": _TOO_SHORT}),
    ),
    Sample(
        "account-full",
        "identity/account.html",
        _account(
            user=User(_LONG, _LONG_EMAIL),
            sessions=[
                _session(n, f"Chrome {n} on a machine with quite a long name", hours=7 * n) for n in range(1, 26)
            ],
            apps=_APPS * 4,
        ),
        "long",
    ),
    Sample("account-factors", "identity/account.html", _account(factors=_FACTORS, apps=[])),
    Sample("second-step", "identity/second_step.html", _second()),
    Sample(
        "second-step-wrong",
        "identity/second_step.html",
        _second(email=_LONG_EMAIL, passkey=None, errors={"code": "This code is not right, or was used already."}),
        "long",
    ),
    Sample(
        "second-step-elsewhere",
        "identity/second_step.html",
        _second(totp=False, passkey=None, issuer="https://acme.example.com"),
        "lemon",
    ),
    Sample("totp", "identity/totp.html", _totp()),
    Sample("totp-wrong", "identity/totp.html", _totp(errors={"code": "This code is not right."}), "ink"),
    Sample(
        "totp-required",
        "identity/totp.html",
        _totp(required=True, passkey=_CEREMONY, passkey_action="/signin/enrol/passkey", email=_LONG_EMAIL),
    ),
    Sample(
        "recovery-codes",
        "identity/recovery_codes.html",
        {
            "email": "ada@example.com",
            "codes": _CODES,
            "continue_url": "/account",
            "notice": "Your passkey is added.",
        },
    ),
    Sample("passkey", "identity/passkey.html", {"passkey": _CEREMONY, "name": "", "back": "/account", "errors": {}}),
    Sample("confirm", "identity/confirm.html", _confirm(passkey=_CEREMONY, passkey_action="/confirm/passkey")),
    Sample(
        "confirm-unsent",
        "identity/confirm.html",
        _confirm(unsent=True, user=User(_LONG, _LONG_EMAIL), errors={"password": "This is not your password."}),
        "long",
    ),
    Sample("security", "identity/security.html", _security()),
    Sample(
        "security-full",
        "identity/security.html",
        _security(factors=_FACTORS, passkeys=_PASSKEYS, notice="Your passkey is added."),
    ),
    Sample(
        "security-required",
        "identity/security.html",
        _security(factors=Factors(totp=True, passkeys=0, recovery_codes=10, required=True), errors={"form": _LAST}),
        "lemon",
    ),
    Sample("reset-request", "identity/reset_request.html", {"email": "", "errors": {}}),
    Sample("reset-sent", "identity/reset_sent.html", {"email": _LONG_EMAIL, "minutes": 30}),
    Sample("reset", "identity/reset.html", {"email": "ada@example.com", "min_length": 10, "errors": {}}),
    Sample(
        "reset-wrong",
        "identity/reset.html",
        {"email": _LONG_EMAIL, "min_length": 10, "errors": {"new_password": _TOO_SHORT}},
    ),
    Sample(
        "invitation",
        "identity/invitation.html",
        {"email": "ada@example.com", "invited_by": "Grace Hopper", "name": "", "min_length": 10, "errors": {}},
    ),
    Sample(
        "invitation-wrong",
        "identity/invitation.html",
        {
            "email": _LONG_EMAIL,
            "invited_by": None,
            "name": "",
            "min_length": 10,
            "errors": {"name": "Enter your name.", "new_password": "This password is too common: many would guess it."},
        },
        "long",
    ),
    Sample("link-invalid-reset", "identity/link_invalid.html", {"kind": "reset"}),
    Sample("link-invalid-invitation", "identity/link_invalid.html", {"kind": "invitation"}),
    Sample("signout", "identity/signout.html", {"user": User(), "app_name": "Ledger Sync", "hidden": {"state": "s"}}),
    Sample("signed-out", "identity/signed_out.html", {"app_name": None, "return_url": None}),
    Sample(
        "signed-out-app", "identity/signed_out.html", {"app_name": "Ledger Sync", "return_url": "https://a.example"}
    ),
    Sample("consent", "oauth/consent.html", _consent()),
    Sample("consent-more", "oauth/consent.html", _consent(scopes=SCOPES, new={"projects:delete", "offline_access"})),
    Sample("consent-bare", "oauth/consent.html", _consent(scopes=(), user=User("", "ada@example.com")), "lemon"),
    Sample(
        "consent-long",
        "oauth/consent.html",
        _consent(
            app_name=_LONG, destination="callback." + "very-" * 20 + "long.example", user=User(_LONG, _LONG_EMAIL)
        ),
        "long",
    ),
    Sample("device", "oauth/device.html", {"user_code": "", "errors": {}}),
    Sample("device-wrong", "oauth/device.html", {"user_code": "WDJB-MJH", "errors": {"user_code": _CODE_ERROR}}),
    Sample("device-confirm", "oauth/device_confirm.html", {**_DEVICE, "scopes": SCOPES[3:6], "hidden": {"code": "c"}}),
    Sample("device-done", "oauth/device_done.html", {"app_name": "Living Room TV", "allowed": True}),
    Sample("device-denied", "oauth/device_done.html", {"app_name": "Living Room TV", "allowed": False}, "ink"),
    Sample("mailbox", "identity/mailbox.html", {"messages": _MESSAGES}),
    Sample("mailbox-empty", "identity/mailbox.html", {"messages": []}),
    Sample(
        "error",
        "web/error.html",
        {
            "title": "This app is not set up right",
            "advice": "It wants to send you to an address that is not its own. Tell the people who run it.",
            "reason": None,
            "request_id": "4f3c2b1a09f8e7d6c5b4a39281706f5e",
        },
    ),
    Sample(
        "error-no-tenant",
        "web/error.html",
        {
            "title": "There is nothing here",
            "advice": "Check the address: it may be mistyped.",
            "reason": None,
            "request_id": None,
        },
        "nobody",
    ),
    Sample(
        "error-suspended",
        "web/error.html",
        {
            "title": "This is closed at the moment",
            "advice": "Ask the people who run it.",
            "reason": "The invoice of <October> is open",
            "request_id": None,
        },
    ),
    *(Sample(*page) for page in (*CONSOLE_PAGES, *PEOPLE_PAGES, *APPS_PAGES, *SETTINGS_PAGES)),
)
