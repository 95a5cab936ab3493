from datetime import timedelta

import pytest

from saas.identity.errors import EmailDomainNotAllowed, InvalidPolicy
from saas.identity.users import User
from tenants.registry import Tenant
from tests.unit.saas.identity.world import OTHER_PASSWORD, PASSWORD, Browser, World


async def test_sessions_that_are_there_follow_the_policy(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    other = world.browser(tenant)
    for each in (browser, other):
        await each.sign_in()
    world.clock.ahead = timedelta(minutes=9)
    assert await browser.is_signed_in()
    await world.require(tenant, session_idle=600)
    world.clock.ahead = timedelta(minutes=11)
    assert [await browser.is_signed_in(), await other.is_signed_in()] == [True, False]
    assert "End all other sessions" not in (await browser.get("/account")).text
    await world.require(tenant, session_lifetime=1200)
    world.clock.ahead = timedelta(minutes=19)
    assert await browser.is_signed_in()
    world.clock.ahead = timedelta(minutes=21)
    assert not await browser.is_signed_in()
    await world.require(tenant)
    assert await browser.is_signed_in()


async def test_a_new_password_is_as_long_as_the_policy_says(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    await world.require(tenant, password_min=20)
    await browser.sign_in()
    assert "At least 20 characters" in (await browser.get("/account")).text
    answer = await browser.post("/account/password", current_password=PASSWORD, new_password=OTHER_PASSWORD)
    assert (answer.status_code, "at least 20 characters" in answer.text) == (422, True)
    answer = await browser.submit(await world.reset_link(browser), new_password=OTHER_PASSWORD)
    assert (answer.status_code, "at least 20 characters" in answer.text) == (422, True)


async def test_only_addresses_of_allowed_domains_are_taken_in(world: World, ann: User, tenant: Tenant) -> None:
    await world.require(tenant, allowed_email_domains=("Example.COM", "@example.org "))
    await world.invite(tenant, "bob@EXAMPLE.org")
    await world.add_user(tenant, "cay@example.com")
    for address in ("eve@evil.example", "eve@sub.example.com", "eve@example.com.evil.example"):
        with pytest.raises(EmailDomainNotAllowed, match=r"example\.com, example\.org"):
            await world.invite(tenant, address)
        with pytest.raises(EmailDomainNotAllowed):
            await world.add_user(tenant, address)


async def test_a_policy_stays_within_what_the_operator_allows(world: World, tenant: Tenant) -> None:
    for wrong in (
        {"second_factor": "some"},
        {"session_idle": 28_801},
        {"session_lifetime": 1},
        {"password_min": 9},
        {"password_min": 65},
        {"allowed_email_domains": ("localhost",)},
        {"allowed_email_domains": ("a b.example",)},
        {"allowed_email_domains": tuple(f"a{number}.example" for number in range(51))},
    ):
        with pytest.raises(InvalidPolicy):
            await world.require(tenant, **wrong)
