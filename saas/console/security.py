"""How people sign in here: the tenant's policy, looked at, changed after a look at what that does."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from starlette.responses import Response

from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.console.keys import published_keys
from saas.console.policy_words import Situation, addresses, changes, in_words, times, without
from saas.identity.errors import InvalidPolicy
from saas.identity.overview import people_overview, unprotected_people
from saas.identity.policy import Policy, Required
from saas.identity.stepup import require_recent
from saas.kit.clock import utc_now

SECURITY: Final = f"{CONSOLE}/security"
POLICY: Final = f"{SECURITY}/policy"
_MAX_TYPED: Final = 10_000
_OPTIONS: Final[Mapping[Required, tuple[str, str]]] = {
    "none": ("Nobody", "People may add one to their account, and most do not."),
    "admins": ("Administrators", "Whoever has the role owner or admin."),
    "everyone": ("Everyone", "All people of your organization."),
}


@reads("settings:read")
async def show_security(page: Page) -> Response:
    policies = page.state.policies
    policy, seen = await policies.read(page.session), await _situation(page)
    return render_console(
        page,
        "console/security.html",
        active="security",
        required=_OPTIONS[policy.second_factor][0],
        without=without(policy, seen),
        exposed=policy.second_factor == "none" and seen.administrators_without > 0,
        idle=in_words(policy.session_idle or policies.limits["session_idle"][1]),
        lifetime=in_words(policy.session_lifetime or policies.limits["session_lifetime"][1]),
        password_min=policy.password_min,
        addresses=addresses(policy),
        keys=await published_keys(page),
    )


@reads("settings:write")
async def show_policy(page: Page) -> Response:
    if (late := require_recent(page.request, page.person)) is not None:
        return late
    policy = await page.state.policies.read(page.session)
    return await _form(page, policy, typed=_typed(policy))


@writes("settings:write")
async def change_policy(page: Page) -> Response:
    """What is typed is reviewed first; `step` says how far it is."""
    if (late := require_recent(page.request, page.person, form=POLICY)) is not None:
        return late
    policies = page.state.policies
    before = await policies.read(page.session)
    after, errors = _read(page, before)
    if errors or page.form.get("step") == "edit":
        return await _form(page, before, typed=page.form, errors=errors)
    seen = await _situation(page)
    found = list(changes(before, after, policies.limits, seen))
    if not found:
        return page.done(SECURITY, "Nothing is different, so nothing was changed.", "info")
    if page.form.get("step") != "save":
        return render_console(
            page, "console/policy_review.html", active="security", changes=found, typed=_typed(after), back=POLICY
        )
    await policies.change(page.session, page.tenant, after, keep=page.person.session_id)
    return page.done(SECURITY, "Saved. " + " ".join(f"{each.title}: {_begun_small(each.text)}." for each in found))


async def _situation(page: Page) -> Situation:
    now = utc_now()
    people = await people_overview(page.session, now, timedelta(0))
    factors = await page.state.factors.of(page.session, page.person.user_id)
    return Situation(
        people.administrators,
        people.unprotected,
        people.people,
        await unprotected_people(page.session),
        page.person,
        factors.any,
        now,
    )


async def _form(
    page: Page, policy: Policy, *, typed: Mapping[str, str], errors: Mapping[str, str] | None = None
) -> Response:
    limits = page.state.policies.limits
    return render_console(
        page,
        "console/policy.html",
        422 if errors else 200,
        active="security",
        typed={**_typed(policy), **typed},
        options=[(key, *words) for key, words in _OPTIONS.items()],
        times={name: times(name, policy, *limits[name]) for name in ("session_idle", "session_lifetime")},
        limits=limits,
        errors=errors or {},
    )


def _typed(policy: Policy) -> dict[str, str]:
    """The policy as its form has it."""
    return {
        "second_factor": policy.second_factor,
        "session_idle": str(policy.session_idle or ""),
        "session_lifetime": str(policy.session_lifetime or ""),
        "password_min": str(policy.password_min),
        "allowed_email_domains": "\n".join(policy.allowed_email_domains),
    }


def _read(page: Page, before: Policy) -> tuple[Policy, dict[str, str]]:
    """The policy that the form means, and what is wrong with it, by field."""
    form, policies = page.form, page.state.policies
    domains = form.get("allowed_email_domains", "")[:_MAX_TYPED].replace(",", " ").split()
    least, most = policies.limits["password_min"]
    fields: dict[str, tuple[Any, str]] = {
        "second_factor": (form.get("second_factor"), "Choose one of these."),
        "session_idle": (_number(form.get("session_idle", "")), "Choose one of these."),
        "session_lifetime": (_number(form.get("session_lifetime", "")), "Choose one of these."),
        "password_min": (_number(form.get("password_min", "")) or 0, f"Enter a number from {least} to {most}."),
        "allowed_email_domains": (tuple(domains), ""),
    }
    after, errors = before, {}
    for name, (value, advice) in fields.items():
        try:
            after = policies.check(replace(after, **{name: value}))
        except InvalidPolicy as error:
            errors[name] = advice or f"{error.detail}."
    return after, errors


def _number(typed: str) -> int | None:
    """None for an empty field; a number that no limit allows for anything else that is none."""
    if not typed.strip():
        return None
    return int(typed) if typed.strip().isdecimal() and len(typed) < len("1000000000") else -1


def _begun_small(text: str) -> str:
    return text[:1].lower() + text[1:]


routes: Final = [
    route(SECURITY, show_security, "GET"),
    route(POLICY, show_policy, "GET"),
    route(POLICY, change_policy, "POST"),
]
