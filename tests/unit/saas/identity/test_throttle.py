import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from saas.identity.errors import TooManyAttempts
from saas.identity.throttle import Allowance, Charge, Throttle
from saas.identity.users import User
from saas.settings import IdentitySettings
from tenants.registry import Tenant
from tests.unit.saas.identity.world import EMAIL, Browser, World, comparable


async def test_an_account_is_closed_after_ten_attempts_whether_it_exists_or_not(
    world: World, ann: User, tenant: Tenant
) -> None:
    seen = []
    for email in (EMAIL, "nobody@people.example"):
        browser = world.browser(tenant)
        statuses = [(await browser.sign_in(email, "not it at all")).status_code for _ in range(10)]
        refused = await browser.sign_in(email.upper())
        assert statuses == [422] * 10
        assert 0 < int(refused.headers["retry-after"]) <= 90
        assert f'value="{email.upper()}"' in refused.text
        headers = comparable(refused)
        del headers["retry-after"]
        seen.append((refused.status_code, "too many attempts" in refused.text, headers))
    assert seen[0] == seen[1]
    assert seen[0][:2] == (429, True)


async def test_the_accounts_of_others_stay_open(world: World, ann: User, tenant: Tenant, other_tenant: Tenant) -> None:
    await world.add_user(tenant, "bob@people.example")
    await world.add_user(other_tenant)
    for _ in range(11):
        answer = await world.browser(tenant).sign_in(EMAIL, "not it at all")
    assert answer.status_code == 429
    assert (await world.browser(tenant).sign_in("bob@people.example")).status_code == 303
    assert (await world.browser(other_tenant).sign_in()).status_code == 303


async def test_one_address_cannot_try_many_accounts(world: World, browser: Browser, ann: User) -> None:
    """A hundred in a quarter of an hour; what an address has used up costs no other one anything."""
    await browser.get("/signin")
    throttle: Throttle = world.app.state.throttle
    for number in range(100):
        await throttle.password(browser.tenant.id, f"p{number}@people.example", "127.0.0.1")
    assert (await browser.sign_in()).status_code == 429
    assert (await world.browser(browser.tenant, "192.0.2.9").sign_in()).status_code == 303


async def test_mail_to_one_account_is_bounded(world: World, browser: Browser, ann: User) -> None:
    statuses = [(await browser.submit("/reset", email=EMAIL)).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    await world.background.drain()
    assert len(world.outbox.sent) == 3


async def test_links_cannot_be_guessed_in_bulk(world: World, browser: Browser) -> None:
    await browser.get("/reset")
    throttle: Throttle = world.app.state.throttle
    for _ in range(60):
        await throttle.link(browser.tenant.id, "127.0.0.1")
    answer = await browser.post("/reset/" + "x" * 43, new_password="whatever it is")
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


async def failing(_: UUID, __: Sequence[Allowance]) -> int:
    raise ConnectionError("nobody counts")


async def hanging(_: UUID, __: Sequence[Allowance]) -> int:
    await asyncio.Event().wait()
    return 0


@pytest.mark.parametrize("charge", [failing, hanging])
async def test_where_nobody_counts_nobody_may_try(
    world: World, browser: Browser, ann: User, monkeypatch: pytest.MonkeyPatch, charge: Charge
) -> None:
    monkeypatch.setattr("saas.identity.throttle._TIMEOUT", 0.05)
    monkeypatch.setattr(world.app.state, "throttle", Throttle(charge, IdentitySettings()))
    for path, fields in (("/signin", {"email": EMAIL, "password": "x"}), ("/reset", {"email": EMAIL})):
        answer = await browser.submit(path, **fields)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("unix", "unix", True),
        ("unix", "else", False),
    ],
)
async def test_who_counts_as_one_address(one: str, other: str, same: bool) -> None:
    charged: list[str] = []

    async def charge(_: UUID, allowances: Sequence[Allowance]) -> int:
        charged.append(allowances[-1].name)
        return 0

    throttle = Throttle(charge, IdentitySettings())
    for address in (one, other):
        await throttle.password(uuid4(), EMAIL, address)
    assert (charged[0] == charged[1]) is same


async def test_no_address_of_a_person_stands_in_a_key() -> None:
    async def charge(_: UUID, allowances: Sequence[Allowance]) -> int:
        assert not any("ann" in allowance.name for allowance in allowances)
        return 61

    with pytest.raises(TooManyAttempts, match="in 2 minutes") as refused:
        await Throttle(charge, IdentitySettings()).password(uuid4(), EMAIL, "192.0.2.1")
    assert refused.value.headers == {"Retry-After": "61"}
