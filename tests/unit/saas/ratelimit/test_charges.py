from base64 import b64encode
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from saas.authserver.authentication import credentials_of
from saas.ratelimit.charges import Charge, Charges
from saas.ratelimit.costs import costs, weights_of
from saas.ratelimit.decision import Concurrency, Quota, Rate
from saas.ratelimit.policy import limits_of
from saas.web.api import api_router
from tenants.plans import Plan

PLAN = Plan(
    "pro",
    requests_per_minute=600,
    burst=100,
    requests_per_day=9000,
    requests_per_month=90_000,
    concurrent=8,
    client_share=50,
    user_share=10,
    shadow=True,
)
TENANT: Any = SimpleNamespace(id=uuid4(), plan=PLAN)

router = api_router("/reports", "Reports")


@router.get("/{number}")
@costs(5)
async def read_report(number: int) -> int:
    return number


@router.get("")
async def list_reports() -> int:
    return 0


CHARGES = Charges(trusted_proxies=(), per_address=60, weights=weights_of(router.routes))


def charge(path: str = "/api/v1/reports", subject: str | None = "user", method: str = "GET", **scope: Any) -> Charge:
    caller = subject and SimpleNamespace(client_id="client", subject=subject, token_ids=("jti",))
    found = CHARGES(
        {
            "tenant": TENANT,
            "caller": caller,
            "path": path,
            "method": method,
            "headers": [],
            "client": ("192.0.2.1", 1),
        }
        | scope
    )
    assert found is not None
    return found


def test_a_plan_limits_the_tenant_each_client_and_each_user() -> None:
    limits = limits_of(PLAN)
    assert limits.with_user == (
        Rate("minute", 600, 100),
        Quota("day", 9000, "day"),
        Quota("month", 90_000, "month"),
        Rate("client", 300, 50, of_each="client"),
        Rate("user", 60, 10, of_each="user"),
        Concurrency("concurrent", 8),
    )
    assert [limit.name for limit in limits.without_user] == ["minute", "day", "month", "client", "concurrent"]


def test_a_token_charges_its_tenant_client_and_user() -> None:
    found = charge()
    assert found.limits is limits_of(PLAN).with_user
    assert (found.subject.client, found.subject.user, found.subject.counts, found.shadow) == (
        "client",
        "user",
        True,
        True,
    )
    assert charge(subject="client").limits is limits_of(PLAN).without_user


@pytest.mark.parametrize(
    ("method", "path", "cost"),
    [
        ("GET", "/api/v1/reports/7", 5),
        ("GET", "/api/v1/reports", 1),
        ("POST", "/api/v1/reports/7", 1),
        ("GET", "/reports/7", 1),
    ],
)
def test_a_route_says_what_it_weighs(method: str, path: str, cost: int) -> None:
    assert charge(path, method=method).cost == cost


@pytest.mark.parametrize("weight", [0, 1001])
def test_a_weight_out_of_bounds_is_a_mistake(weight: int) -> None:
    with pytest.raises(ValueError, match="weigh"):
        costs(weight)


def test_strangers_are_charged_by_address_in_a_slot_of_its_own() -> None:
    found = charge(subject=None, client=("2001:db8:1:2::3", 1))
    assert found.limits == (Rate("address", 60, 30, of_each="address"),)
    assert found.subject.address == "address:2001:db8:1:2::"
    assert not found.subject.counts


def test_where_clients_authenticate_address_and_claimed_client_are_charged_and_nobody_is_in_the_shadow() -> None:
    basic = b"Basic " + b64encode(b"my%2Dclient:secret")
    found = charge("/oauth2/token", subject=None, method="POST", headers=[(b"authorization", basic)])
    assert (found.subject.bucket, found.subject.client, found.shadow) == ("token:192.0.2.1", "my-client", False)
    assert [limit.name for limit in found.limits] == ["minute", "day", "token"]
    assert found.limits[2].amount == 4 * found.limits[0].amount


@pytest.mark.parametrize("space", [b" ", b"\t", b"\xa0"])
def test_what_authentication_reads_past_hides_no_client(space: bytes) -> None:
    basic = b"Basic " + space + b64encode(b"my-client:secret") + space
    credentials = credentials_of({"authorization": basic.decode("latin-1")}, {})
    found = charge("/oauth2/token", subject=None, method="POST", headers=[(b"authorization", basic)])
    assert credentials is not None
    assert found.subject.client == credentials.client_id == "my-client"


@pytest.mark.parametrize(
    "value", [b"", b"Basic !!!", b"Basic \xe9", b"Basic /w==", b"Basic " + b64encode(b"{x}:y"), b"Bearer x"]
)
def test_who_claims_nothing_that_could_be_a_client_counts_by_address(value: bytes) -> None:
    found = charge("/oauth2/token", subject=None, method="POST", headers=[(b"authorization", value)])
    assert (found.subject.client, [limit.name for limit in found.limits]) == ("", ["minute", "day"])
