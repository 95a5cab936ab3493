"""The console's settings for the gallery. Branding, whose examples have a stylesheet made by the application, is looked
at there: see test_console_settings.py."""

from datetime import timedelta
from typing import Any, Final

from saas.console.policy_words import Change, Effect, times
from saas.identity.policy import Policy
from saas.kit.clock import utc_now
from tenants.domains import Domain
from tests.e2e.gallery_console import framed

_NOW: Final = utc_now()
_HOST: Final = "login." + "donaudampfschifffahrtsgesellschaften." * 3 + "example"
_WAITING: Final = [
    Domain(host, None, f"_saas-challenge.{host}", "saas-verification=" + "Zk3x" * 10 + "abc", checked)
    for host, checked in (("login.example.com", None), (_HOST, _NOW - timedelta(minutes=12)))
]
_PROVED: Final = [Domain(host, _NOW - timedelta(days=90)) for host in ("id.example.com", f"www.{_HOST}")]
_TYPED: Final = {
    "second_factor": "admins",
    "session_idle": "",
    "session_lifetime": "4242",
    "password_min": "14",
    "allowed_email_domains": f"example.com\n{_HOST}",
}
_LIMITS: Final = {"session_idle": (300, 28_800), "session_lifetime": (900, 1_209_600), "password_min": (10, 64)}
_KEYS: Final = [
    {
        "kid": "Zk3x" * 10 + "abc",
        "algorithm": algorithm,
        "status": status,
        "since": _NOW - ago,
        "until": _NOW + left,
        "rotatable": (algorithm, status) == ("RS256", "active"),
    }
    for algorithm, status, ago, left in (
        ("ES256", "active", timedelta(days=80), timedelta(days=10)),
        ("RS256", "active", timedelta(days=3), timedelta(days=87)),
        ("ES256", "next", timedelta(hours=3), timedelta(days=1)),
        ("ES256", "retiring", timedelta(days=170), timedelta(hours=1)),
    )
]
_CHANGES: Final = [
    Change(
        "Second factor",
        "Required of everyone",
        (
            Effect("9,870 of 10,000 people have none yet. They set one up when they next sign in, before they get in."),
            Effect("You have no second factor yet.", own=True, path="/account/security"),
        ),
    ),
    Change("E-mail addresses", f"Only at {_HOST}", (Effect("It holds for people who are invited from now on."),)),
]


def _policy(**changes: Any) -> dict[str, Any]:
    plain = {
        "typed": _TYPED,
        "options": [("none", "Nobody", "People may."), ("admins", "Administrators", "Owners and admins.")],
        "times": {name: times(name, Policy(session_lifetime=4242), *_LIMITS[name]) for name in list(_LIMITS)[:2]},
        "limits": _LIMITS,
        "errors": {},
    }
    return framed("security", **plain | changes)


def _domains(**changes: Any) -> dict[str, Any]:
    plain = {
        "proved": _PROVED,
        "waiting": _WAITING,
        "included": True,
        "plan": "business",
        "cap": 5,
        "days": 14,
        "primary": "acme.example.com",
        "host": "",
        "errors": {},
        "found": {_HOST: f"The TXT record says “{'v=spf1 ' * 14}”."},
    }
    return framed("domains", **plain | changes)


def _security(**changes: Any) -> dict[str, Any]:
    plain = {
        "required": "Administrators",
        "without": "9,870 of 10,000 people have none yet",
        "exposed": True,
        "idle": "8 hours",
        "lifetime": "14 days",
        "password_min": 10,
        "addresses": f"Only at example.com, {_HOST}",
        "keys": _KEYS,
    }
    return framed("security", **plain | changes)


#: As `CONSOLE_PAGES`.
SETTINGS_PAGES: Final[list[tuple[str, str, dict[str, Any], str]]] = [
    ("console-security", "console/security.html", _security(), "long"),
    ("console-keys", "console/keys.html", framed("security", keys=_KEYS, issuer="https://acme.example.com"), "lemon"),
    (
        "console-policy-wrong",
        "console/policy.html",
        _policy(errors={"password_min": "Enter a number from 10 to 64.", "second_factor": "Choose one of these."}),
        "ink",
    ),
    (
        "console-policy-review",
        "console/policy_review.html",
        framed("security", changes=_CHANGES, typed=_TYPED, back="/console/security/policy"),
        "long",
    ),
    ("console-domains", "console/domains.html", _domains(), "long"),
    (
        "console-domains-off",
        "console/domains.html",
        _domains(included=False, plan="free", waiting=[], found={}),
        "lemon",
    ),
]
