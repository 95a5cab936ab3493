"""What an administrator should look at: each a sentence, and the page where it is mended. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from saas.console.charts import Gauge
from saas.identity.overview import PeopleOverview
from saas.keys.lifecycle import KeyInfo
from saas.oauth.overview import AppsOverview
from tenants.domains import Domain
from tenants.overrides import Override

#: How long before its end an invitation, or an override of the plan, is told of.
SOON: Final = timedelta(days=2)
_OVERRIDE_SOON: Final = timedelta(days=14)
#: How long before a signing key is replaced that is told.
_ROTATION_SOON: Final = timedelta(days=14)
#: A rotation that is late by more means that no worker runs.
_LATE: Final = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Item:
    """`path` leads to where something can be done about it; None: nothing has to be done."""

    kind: Literal["bad", "warn", "info"]
    text: str
    path: str | None = None
    label: str = ""


def of_people(people: PeopleOverview) -> Iterator[Item]:
    if people.unprotected and people.policy.second_factor != "none":
        text = f"{_count(people.unprotected, 'administrator')} must set up a second factor when they next sign in"
        yield Item("warn", text, "/console/people", "People")
    elif people.unprotected:
        text = f"{people.unprotected} of {_count(people.administrators, 'administrator')} sign in with a password alone"
        yield Item("warn", text, "/console/security", "Ask for a second factor")
    if people.owners == 1:
        yield Item(
            "info", "There is one owner: who is alone cannot be helped by another one", "/console/people", "People"
        )
    if people.expiring:
        yield Item(
            "warn",
            f"{_count(people.expiring, 'invitation')} will expire within two days",
            "/console/people?status=invited",
            "Send again",
        )
    if people.lapsed:
        yield Item(
            "warn",
            f"{_count(people.lapsed, 'invitation')} expired before anybody accepted",
            "/console/people?status=invited",
            "Send again",
        )


def of_apps(apps: AppsOverview, now: datetime) -> Iterator[Item]:
    if apps.overlapping and apps.first_end is not None:
        verb = "has" if apps.overlapping == 1 else "have"
        text = f"{_count(apps.overlapping, 'app')} {verb} an old secret that ends {_in(apps.first_end - now)}"
        yield Item("warn", text, "/console/apps", "Apps")
    if apps.old:
        who = apps.one_old if apps.old == 1 else f"{apps.one_old} and {_count(apps.old - 1, 'other app')}"
        yield Item("warn", f"The secret of {who} is older than a year", "/console/apps", "Give it a new one")


def of_domains(domains: Iterable[Domain]) -> Iterator[Item]:
    waiting = [domain.host for domain in domains if domain.verified_at is None]
    if waiting:
        more = f" and {_count(len(waiting) - 1, 'other domain')}" if len(waiting) > 1 else ""
        verb = "waits" if len(waiting) == 1 else "wait"
        yield Item(
            "warn",
            f"{waiting[0]}{more} {verb} for the DNS record that proves it is yours",
            "/console/domains",
            "Domains",
        )


def of_plan(gauges: Iterable[Gauge], overrides: Iterable[Override], now: datetime) -> Iterator[Item]:
    for gauge in gauges:
        if gauge.limit and gauge.level != "good":
            used = f"{gauge.label}: {gauge.used:,} of {gauge.limit:,}"
            foretold = f", {gauge.note.partition(';')[0]}" if gauge.used < gauge.limit and gauge.projected else ""
            yield Item("bad" if gauge.level == "bad" else "warn", used + foretold, "/console/plan", "Plan and usage")
    ends = sorted(each.until for each in overrides if each.until is not None)
    if ends and ends[0] - now < _OVERRIDE_SOON:
        yield Item(
            "info", f"A change of your plan's limits ends {_in(ends[0] - now)}", "/console/plan", "Plan and usage"
        )


def of_keys(keys: Sequence[KeyInfo], rotate_after: timedelta, now: datetime) -> Iterator[Item]:
    active = [key.activated_at for key in keys if key.status == "active" and key.activated_at is not None]
    if not active:
        yield Item("bad", "No signing key is active: nobody can sign in to apps. Ask whoever runs this platform")
        return
    due = min(active) + rotate_after
    if due + _LATE < now:
        yield Item(
            "warn",
            f"The signing key should have been replaced {_in(now - due, ago=True)}. Ask whoever runs this platform",
        )
    elif due - now < _ROTATION_SOON:
        yield Item("info", f"The next signing key takes over {_in(due - now)}, by itself")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _in(length: timedelta, *, ago: bool = False) -> str:
    hours = max(0, round(length.total_seconds() / 3600))
    if hours < 1:
        return "within the hour"
    text = _count(hours, "hour") if hours < 48 else _count(round(hours / 24), "day")  # noqa: PLR2004 - two days
    return f"{text} ago" if ago else f"in {text}"
