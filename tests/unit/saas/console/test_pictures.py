"""What the console says of numbers: bars, gauges, and what needs attention."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from saas.console import attention
from saas.console.attention import Item
from saas.console.charts import HEIGHT, cap_gauge, hour_chart, quota_gauge
from saas.identity.overview import PeopleOverview
from saas.identity.policy import Policy, Required
from saas.keys.lifecycle import KeyInfo
from saas.oauth.overview import AppsOverview
from saas.usage.service import QuotaUse, Use, UseAt
from tenants.domains import Domain
from tenants.overrides import Override

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_bars_stand_on_each_other_and_stay_inside() -> None:
    hours = [UseAt(NOW + timedelta(hours=n), Use(*use)) for n, use in enumerate([(0, 0), (150, 50), (1, 0)])]
    chart = hour_chart(hours)
    assert (chart.top, chart.requests, chart.refusals) == (200, 151, 50)
    tall, low = chart.bars
    assert (tall.served, tall.refused) == (0.75 * HEIGHT, 0.25 * HEIGHT)
    assert low.served > 0.01 * HEIGHT, "what is there can be seen"
    assert tall.title == "Sun 13:00: 150, 50 refused"
    assert hour_chart([]).bars == ()


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 10), (10, 10), (11, 20), (21, 50), (501, 1000), (1_000_001, 2_000_000)]
)
def test_the_upper_edge_is_a_number_that_is_easily_read(highest: int, top: int) -> None:
    assert hour_chart([UseAt(NOW, Use(highest))]).top == top


def test_gauges_know_when_it_is_time_to_act() -> None:
    assert [cap_gauge("", used, 10).level for used in (7, 8, 10, 12)] == ["good", "warn", "bad", "bad"]
    assert [cap_gauge("", 3, limit).level for limit in (None, 0)] == ["good", "good"]
    levels = [
        quota_gauge(QuotaUse("day", 100, used, projected, NOW + DAY), NOW).level
        for used, projected in ((40, 90), (40, 110), (100, 200))
    ]
    assert levels == ["good", "warn", "bad"]
    assert quota_gauge(QuotaUse("month", 100, 40, 900, NOW + 9 * DAY), NOW).projected == 100


def people(required: Required = "none", **counts: int) -> PeopleOverview:
    plain = dict.fromkeys(PeopleOverview._fields[:-1], 0) | {"owners": 2, "administrators": 5}
    return PeopleOverview(**plain | counts, policy=Policy(second_factor=required))


def told(items: Iterable[Item]) -> str:
    return "; ".join(f"{item.text} -> {item.path}" for item in items)


def test_what_needs_attention_is_said_with_the_place_where_it_is_mended() -> None:
    assert told(attention.of_people(people())) == ""
    assert "3 of 5 administrators sign in with a password alone -> /console/security" in told(
        attention.of_people(people(unprotected=3))
    )
    assert "1 administrator must set up a second factor" in told(attention.of_people(people("admins", unprotected=1)))
    assert "2 invitations will expire" in told(attention.of_people(people(expiring=2)))
    assert "1 invitation expired" in told(attention.of_people(people(lapsed=1)))
    assert "one owner" in told(attention.of_people(people(owners=1)))
    apps = AppsOverview(2, NOW + 3 * DAY, 3, "Notes")
    said = told(attention.of_apps(apps, NOW))
    assert "2 apps have an old secret that ends in 3 days" in said
    assert "The secret of Notes and 2 other apps is older than a year" in said
    domains = [Domain("shop.example", None), Domain("old.example", NOW)]
    assert told(attention.of_domains(domains)).startswith("shop.example waits for the DNS record")


def test_of_the_plan_and_the_keys_only_what_is_near_is_told() -> None:
    gauges = [cap_gauge("People", 9, 10), cap_gauge("Apps", 1, 10), cap_gauge("Domains", 10, 10)]
    overrides = [Override("burst", "x2", NOW + 2 * DAY), Override("users", "50", None)]
    said = list(attention.of_plan(gauges, overrides, NOW))
    assert [(item.kind, item.text) for item in said] == [
        ("warn", "People: 9 of 10"),
        ("bad", "Domains: 10 of 10"),
        ("info", "A change of your plan's limits ends in 2 days"),
    ]

    def keys(age: int) -> str:
        active = KeyInfo("k", "ES256", "active", NOW - age * DAY, NOW - age * DAY, None)
        return told(attention.of_keys([active], 90 * DAY, NOW))

    assert keys(10) == ""
    assert "takes over in 5 days, by itself" in keys(85)
    assert "should have been replaced 10 days ago" in keys(100)
    assert "No signing key" in told(attention.of_keys([], 90 * DAY, NOW))
