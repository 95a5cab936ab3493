"""The sign-in policy in the console: looked at, reviewed, changed."""

from datetime import timedelta

import pytest
from fastapi import FastAPI

from saas.console.policy_words import Situation, changes, in_words, times
from saas.identity.policy import Policy
from saas.identity.roles import Role, create_role
from saas.identity.signed_in import SignedIn
from saas.kit.clock import utc_now
from saas.services import Services
from tenants.base import new_id
from tenants.registry import Tenant
from tests.unit.saas.console.settings_world import administrator, age, events

SECURITY, POLICY = "/console/security", "/console/security/policy"
SAME = {
    "second_factor": "none",
    "session_idle": "",
    "session_lifetime": "",
    "password_min": "10",
    "allowed_email_domains": "",
}


async def test_a_policy_is_reviewed_and_saved_and_locks_nobody_out(
    app: FastAPI, services: Services, tenant: Tenant
) -> None:
    async with (
        administrator(app, services, tenant) as here,
        administrator(app, services, tenant, email="vice@people.example") as there,
    ):
        shown = (await here.get(SECURITY)).text
        assert "3 of 3 administrators have none yet" in shown
        assert "ES256" in shown
        assert "Signs" in (await here.get("/console/keys")).text
        assert 'value="none" checked' in (await here.get(POLICY)).text

        wanted = {
            **SAME,
            "second_factor": "admins",
            "password_min": "14",
            "allowed_email_domains": "a.example,b.example",
        }
        review = await here.post(POLICY, **wanted, step="review")
        for words in (
            "Required of administrators",
            "3 of 3 administrators have none yet",
            "You have no second factor yet. You stay signed in here",
            "At least 14 characters",
            "Only at a.example, b.example",
            "Your own address is at people.example, which is not among them",
        ):
            assert words in review.text
        assert await events(services, tenant, "policy.changed") == []

        again = await here.post(POLICY, **wanted, step="edit")
        assert 'value="admins" checked' in again.text

        saved = await here.post(POLICY, **wanted, step="save")
        assert (saved.status_code, saved.headers["location"]) == (303, SECURITY)
        after = (await here.get(SECURITY)).text
        assert "Saved. Second factor: required of administrators." in after
        assert (await there.get(SECURITY)).headers["location"].startswith("/signin")
        [event] = await events(services, tenant, "policy.changed")
        assert (event.actor_kind, event.details["second_factor"]) == ("user", "admins")

        same = await here.post(POLICY, **wanted, step="save")
        assert same.headers["location"] == SECURITY
        assert len(await events(services, tenant, "policy.changed")) == 1


async def test_what_is_wrong_stands_at_its_field_and_changes_nothing(
    app: FastAPI, services: Services, tenant: Tenant
) -> None:
    async with administrator(app, services, tenant) as here:
        await here.get(POLICY)
        wrong = {
            "second_factor": "some",
            "session_idle": "1",
            "session_lifetime": "nine",
            "password_min": "9",
            "allowed_email_domains": "good.example\nno domain",
        }
        answer = await here.post(POLICY, **wrong, step="save")
        assert answer.status_code == 422
        assert answer.text.count('aria-invalid="true"') == 4  # a group of radio buttons has its error in its legend
        assert "Enter a number from 10 to 64." in answer.text
        assert "Not a domain: no, domain. Write them like example.com." in answer.text
        assert await events(services, tenant, "policy.changed") == []


async def test_a_policy_is_sensitive_and_only_for_who_may_change_it(
    app: FastAPI, services: Services, tenant: Tenant
) -> None:
    async with services.database.tenant_session(tenant) as session:
        role = Role("looker", "Looks only", ("settings:read",))
        await create_role(session, role, services.catalogue)
    async with (
        administrator(app, services, tenant) as here,
        administrator(app, services, tenant, email="eve@people.example", roles=["looker"]) as looker,
    ):
        await age(services, tenant, 1)
        assert (await here.get(SECURITY)).status_code == 200
        assert (await here.get(POLICY)).headers["location"] == f"/confirm?return_to={POLICY}"
        await here.get("/console/branding")
        late = await here.post(POLICY, **SAME, step="save")
        assert late.headers["location"] == f"/confirm?return_to={POLICY}&unsent=1"
        assert "Change the policy" not in (await looker.get(SECURITY)).text
        assert (await looker.get(POLICY)).status_code == 403
        for path in ("branding", "domains"):
            answer = await looker.get(f"/console/{path}")
            assert (answer.status_code, 'method="post"' in answer.text) == (200, False)
            assert (await looker.post(f"/console/{path}")).status_code == 403


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(60, "1 minute"), (5400, "90 minutes"), (28_800, "8 hours"), (1_209_600, "14 days"), (61, "61 seconds")],
)
def test_a_duration_is_told_in_its_largest_whole_unit(seconds: int, words: str) -> None:
    assert in_words(seconds) == words


def test_times_to_choose_from_keep_within_what_is_allowed_and_have_the_present_one() -> None:
    found = times("session_idle", Policy(session_idle=4242), 300, 28_800)
    assert [value for value, _ in found] == ["900", "1800", "3600", "4242", "14400", ""]


def test_a_change_says_what_it_does_to_whoever_makes_it() -> None:
    now = utc_now()
    began = now - timedelta(hours=9)
    person = SignedIn(new_id(), new_id(), "ann@people.example", "Ann", ("admin",), began, ("pwd",), now)
    seen = Situation(1, 0, 40, 39, person, True, now)
    limits = {"session_idle": (300, 28_800), "session_lifetime": (900, 1_209_600)}

    def told(before: Policy, after: Policy) -> list[tuple[str, bool]]:
        return [
            (effect.text, effect.own) for change in changes(before, after, limits, seen) for effect in change.effects
        ]

    everyone = told(Policy(), Policy(second_factor="everyone"))
    assert everyone[0][0].startswith("39 of 40 people have none yet")
    assert everyone[-1] == ("You have a second factor and stay signed in.", True)
    assert "The one administrator here has one" in told(Policy(), Policy(second_factor="admins"))[0][0]
    assert "Nobody loses" in told(Policy(second_factor="everyone"), Policy(second_factor="admins"))[0][0]
    shorter = told(Policy(), Policy(session_lifetime=28_800))
    assert shorter[-1] == ("Yours is one of them: you will be asked to sign in again.", True)
    assert len(told(Policy(), Policy(session_lifetime=43_200))) == 1
    assert told(Policy(session_idle=28_800), Policy()) == []
