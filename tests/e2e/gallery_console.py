"""The console's pages for the gallery, in the frame that `render_console` gives them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from saas.audit.actions import ACTIONS
from saas.audit.log import Event
from saas.console.attention import Item
from saas.console.charts import Gauge, cap_gauge, hour_chart, quota_gauge
from saas.console.flash import Flash
from saas.console.navigation import NAVIGATION
from saas.kit.clock import utc_now
from saas.usage.periods import HOUR, beginning
from saas.usage.service import QuotaUse, Use, UseAt
from tenants.plans import Plan

_NOW: Final = utc_now()
_LONG: Final = "Bundesverband der Donaudampfschifffahrtsgesellschaften und verwandter Betriebe"
_LONG_EMAIL: Final = "maximiliane.von-und-zu-hohenstein-bartenstein@mail.subsidiary.donaudampfschifffahrt.example.com"


@dataclass(frozen=True)
class _Person:
    name: str = "Ada Byron"
    email: str = "ada@example.com"


def framed(active: str, /, **context: Any) -> dict[str, Any]:
    """What a page finds for somebody who may do everything, and its own `context`."""
    return {
        "active": active,
        "flash": None,
        "may": lambda *_: True,
        "navigation": NAVIGATION,
        "person": _Person(),
        **context,
    }


def event(position: int, action: str, **changes: Any) -> Event:
    values: dict[str, Any] = {
        "id": UUID(int=position),
        "position": position,
        "occurred_at": _NOW - timedelta(hours=position),
        "action": action,
        "actor_kind": "user",
        "actor_id": str(UUID(int=1)),
        "actor_name": "ada@example.com",
        "client_id": None,
        "target_kind": "user",
        "target_id": str(UUID(int=2)),
        "target_name": "grace@example.com",
        "address": "2001:db8:85a3:8d3:1319:8a2e:370:7348",
        "request_id": "4f3c2b1a09f8e7d6c5b4a39281706f5e",
        "details": {"from": ["member"], "to": ["admin", "owner"], "sessions_ended": 2, "until": None},
        "summary": ACTIONS[action],
    }
    return Event(**values | changes)


_EVENTS: Final = [
    event(1, "user.roles_changed"),
    event(2, "session.refused", actor_kind="anonymous", actor_id=None, actor_name=None, target_name=_LONG_EMAIL),
    event(3, "client.created", actor_name=_LONG_EMAIL, target_kind="client", target_name=_LONG),
    event(4, "key.activated", actor_kind="system", actor_name=None, target_name=None, target_id=None, address=None),
]
_ITEMS: Final = [
    Item("bad", "Requests today: 10,000 of 10,000", "/console/plan", "Plan and usage"),
    Item("warn", "3 of 5 administrators sign in with a password alone", "/console/security", "Ask for a second factor"),
    Item("warn", f"The secret of {_LONG} is older than a year", "/console/apps", "Give it a new one"),
    Item("info", "The next signing key takes over in 3 days, by itself"),
]
_HOURS: Final = [
    UseAt(beginning(_NOW, "hour") - (48 - number) * HOUR, Use((number * 37) % 900, 60 if number % 17 == 0 else 0))
    for number in range(49)
]
_QUOTAS: Final[list[Gauge]] = [
    quota_gauge(QuotaUse("day", 10_000, 10_000, 21_000, _NOW + timedelta(hours=7)), _NOW),
    quota_gauge(QuotaUse("month", 200_000, 61_000, 92_000, _NOW + timedelta(days=9)), _NOW),
]
_CAPS: Final = [cap_gauge("People", 9, 10), cap_gauge("Apps", 2, None), cap_gauge("Domains", 0, 0)]
_PLAN: Final = Plan(
    "business", requests_per_minute=600, burst=60, requests_per_day=10_000, features=frozenset({"audit-export"})
)
_LIMITS: Final = [("Requests a minute", "600"), ("Of the rate, for one app", "50 %"), ("Requests a month", "No limit")]
_ASKED: Final = dict.fromkeys(("action", "actor", "target", "since", "until", "q"), "")


def _audit(**changes: Any) -> dict[str, Any]:
    plain = {
        "events": _EVENTS,
        "asked": _ASKED,
        "filtered": False,
        "hidden": {},
        "kinds": [("", "Everything"), ("user.invited", "Invited a user")],
        "first": None,
        "next": "/console/audit?cursor=x",
        "exports": True,
        "days": 365,
        "errors": {},
    }
    return framed("audit", **plain | changes)


#: (name, template, context, host), as of `gallery.Sample`.
CONSOLE_PAGES: Final[list[tuple[str, str, dict[str, Any], str]]] = [
    (
        "console-home",
        "console/home.html",
        framed("home", items=_ITEMS, quotas=_QUOTAS, caps=_CAPS, chart=hour_chart(_HOURS), events=_EVENTS),
        "long",
    ),
    (
        "console-home-new",
        "console/home.html",
        framed("home", items=[], quotas=[], caps=_CAPS, chart=hour_chart([]), events=[]),
        "lemon",
    ),
    (
        "console-plan",
        "console/plan.html",
        framed(
            "plan",
            plan=_PLAN,
            quotas=_QUOTAS,
            caps=_CAPS,
            limits=_LIMITS,
            features=[("custom domains", False), ("the export of the audit log", True)],
            overrides=[("Requests a minute", "2 times the plan's", _NOW + timedelta(days=3)), ("People", "50", None)],
            clients=[("app_1", _LONG, Use(1_234_567, 89, 0, 2_000_000)), ("", None, Use(5, 0, 0, 5))],
        ),
        "ink",
    ),
    ("console-audit", "console/audit.html", _audit(flash=Flash("good", "The log is whole: 412 events.")), "acme"),
    (
        "console-audit-none",
        "console/audit.html",
        _audit(
            events=[],
            asked=_ASKED | {"q": _LONG, "since": "2026-01-31"},
            filtered=True,
            exports=False,
            next=None,
            errors={"since": "Write a day like 2026-03-31."},
        ),
        "long",
    ),
    ("console-event", "console/event.html", framed("audit", event=_EVENTS[0]), "acme"),
    (
        "console-forbidden",
        "console/forbidden.html",
        framed("", words=["See the people, their roles and their sessions"], ask=[("Grace Hopper", _LONG_EMAIL)]),
        "long",
    ),
    (
        "console-closed",
        "console/closed.html",
        framed("", words=[], ask=[(_LONG, "grace@example.com")]),
        "lemon",
    ),
    (
        "console-problem",
        "console/problem.html",
        framed(
            "", title="Not in the plan", advice="The plan free does not have the export of the audit log.", plan=True
        ),
        "acme",
    ),
]
