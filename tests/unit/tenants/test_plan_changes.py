import pytest

from tenants.errors import CapReached, FeatureNotInPlan, InvalidPlan
from tenants.plan_changes import as_values, changed, differences, parse
from tenants.plans import FEATURES, Plan, check_cap, require_feature

PLAN = Plan(
    "pro",
    requests_per_minute=600,
    burst=60,
    requests_per_day=5000,
    requests_per_month=100_000,
    users=5,
    domains=0,
    client_share=80,
    features=frozenset({"custom-domains"}),
)


def change(*assignments: str) -> Plan:
    return changed(PLAN, parse(assignments))


@pytest.mark.parametrize(
    ("assignment", "field", "value"),
    [
        ("requests_per_minute=1200", "requests_per_minute", 1200),
        ("requests-per-minute = x2", "requests_per_minute", 1200),
        ("burst=x1.5", "burst", 90),
        ("burst=x0.01", "burst", 1),
        ("requests_per_minute=x9999", "requests_per_minute", 5_999_400),
        ("client_share=x2", "client_share", 100),
        ("requests_per_month=none", "requests_per_month", None),
        ("concurrent=x2", "concurrent", None),
        ("users=0", "users", 0),
        ("features=+audit-export", "features", {"custom-domains", "audit-export"}),
        ("features=-custom-domains,+audit-export", "features", {"audit-export"}),
        ("features=audit-export", "features", {"audit-export"}),
        ("features=none", "features", frozenset()),
        ("shadow=ON", "shadow", True),
    ],
)
def test_a_change_changes_its_field_alone(assignment: str, field: str, value: object) -> None:
    after = change(assignment)
    assert getattr(after, field) == value
    assert [name for name, *_ in differences(PLAN, after)] == ([] if getattr(PLAN, field) == value else [field])


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("users", "write users=value"),
        ("name=gold", "is no field"),
        ("version=7", "is no field"),
        ("burst=0", "between 1 and"),
        ("burst=none", "between 1 and"),
        ("burst=1000000001", "between 1 and"),
        ("users=-1", "or none"),
        ("users=٣", "or none"),
        ("users=xx", "or none"),
        ("client_share=101", "between 1 and 100"),
        ("token_lifetime=59", "between 60 and"),
        ("features=sso", "audit-export"),
        ("features=+audit-export,custom-domains", "before it"),
        ("shadow=maybe", "on or off"),
    ],
)
def test_what_a_plan_cannot_be_is_refused_in_words(assignment: str, says: str) -> None:
    with pytest.raises(InvalidPlan, match=says):
        change(assignment)


def test_a_field_given_twice_is_a_slip() -> None:
    with pytest.raises(InvalidPlan, match="twice"):
        parse(["users=1", "users=2"])


def test_values_are_those_that_documents_and_rows_hold() -> None:
    values = as_values(PLAN)
    assert values["features"] == ["custom-domains"]
    assert Plan(**{**values, "features": frozenset(values["features"])}) == PLAN


def test_a_cap_names_plan_cap_and_count() -> None:
    check_cap(PLAN, "users", 4)
    check_cap(PLAN, "projects", 10**6)
    with pytest.raises(CapReached, match="pro allows 5 users, and there are 7") as caught:
        check_cap(PLAN, "users", 7)
    assert caught.value.status == 403
    assert caught.value.members == {"plan": "pro", "cap": "users", "limit": 5, "count": 7}
    with pytest.raises(CapReached, match="allows 0 domains"):
        check_cap(PLAN, "domains", 0)


def test_a_feature_is_in_the_plan_or_refused_by_name() -> None:
    require_feature(PLAN, "custom-domains")
    with pytest.raises(FeatureNotInPlan, match=FEATURES["audit-export"]) as caught:
        require_feature(PLAN, "audit-export")
    assert (caught.value.status, caught.value.members) == (403, {"plan": "pro", "feature": "audit-export"})


def test_a_token_lives_as_long_as_the_shorter_of_plan_and_setting() -> None:
    assert PLAN.token_seconds(600) == 600
    assert change("token_lifetime=300").token_seconds(600) == 300
    assert change("token_lifetime=900").token_seconds(600) == 600
