"""The people of a tenant: the list, and invitations."""

import re
from collections.abc import Mapping
from typing import Any, Final, get_args
from urllib.parse import urlencode

from starlette.responses import Response

from saas.console.frame import CONSOLE, Page, reads, render_console, route, writes
from saas.console.rights import authority_of, grantable
from saas.identity.accounts import Status
from saas.identity.directory import count_people, list_people
from saas.identity.people import MOST_INVITED
from saas.identity.roles import MEMBER
from saas.identity.service import MAX_NAME, email_key
from tenants.errors import CapReached

HERE: Final = f"{CONSOLE}/people"
INVITE: Final = f"{HERE}/invite"
_PER_PAGE: Final = 25
_MAX_QUERY: Final = 200
_MAX_TEXT: Final = 20_000
#: `Ann Example <ann@example.com>`, as mail programs copy it.
_NAMED: Final = re.compile(r'"?([^"<>]*?)"?\s*<([^<>]*)>')
_BETWEEN: Final = re.compile(r"[\r\n,;]+")


@reads("users:read")
async def show_people(page: Page) -> Response:
    asked = {name: page.query.get(name, "")[:_MAX_QUERY].strip() for name in ("q", "status", "role")}
    asked = {name: text for name, text in asked.items() if text and text.isprintable()}
    cursor = page.query.get("cursor")
    status: Any = asked.get("status")
    found = await list_people(
        page.session,
        limit=_PER_PAGE,
        cursor=cursor,
        query=asked.get("q", ""),
        status=status if status in get_args(Status) else None,
        role=asked.get("role"),
    )
    return render_console(
        page,
        "console/people.html",
        active="people",
        people=found.items,
        counts=await count_people(page.session),
        cap=page.tenant.plan.users,
        asked=asked,
        roles=[(role.name, role.name) for role in await page.state.roles.list(page.session)],
        first=_url(asked) if cursor else None,
        next=_url({**asked, "cursor": found.next_cursor}) if found.next_cursor else None,
    )


@reads("users:write")
async def show_invite(page: Page) -> Response:
    return await _invite_page(page, roles=[MEMBER])


@writes("users:write")
async def invite(page: Page) -> Response:
    """All of them, or nobody: what is wrong with one stands on the page, beside what was typed."""
    typed, roles = page.form.get("emails", ""), await page.every("roles")
    people = _parse(typed)
    errors: dict[str, str] = {}
    faults: Mapping[str, str] = {}
    if not people:
        errors["emails"] = "Enter at least one e-mail address."
    elif len(people) > MOST_INVITED or len(typed) > _MAX_TEXT:
        errors["emails"] = f"Enter at most {MOST_INVITED} addresses at a time; these are {len(people)}."
    else:
        try:
            found = await page.state.people.faults(page.session, page.tenant, list(people))
        except CapReached as error:
            errors["emails"] = f"{error}."
        else:
            faults = {email: problem.detail for email, problem in found.items()}
    if faults:
        errors["emails"] = f"{len(faults)} of {len(people)} cannot be invited; nobody has been yet."
    if not roles:
        errors["roles"] = "Choose at least one role."
    if errors:
        return await _invite_page(page, typed=typed, roles=roles, faults=faults, errors=errors)
    by = authority_of(page)
    for email, name in people.items():
        await page.state.people.invite(page.session, page.tenant, email=email, name=name, roles=roles, by=by)
    count = len(people)
    text = f"{next(iter(people))} is" if count == 1 else f"{count} people are"
    return page.done(f"{HERE}?status=invited", f"{text} invited, and will find a link in their mail.")


async def _invite_page(
    page: Page,
    *,
    roles: list[str],
    typed: str = "",
    faults: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    """`typed` and `roles` are what was sent, where it was refused."""
    policy = await page.state.policies.read(page.session)
    return render_console(
        page,
        "console/invite.html",
        422 if errors else 200,
        active="people",
        typed=typed[:_MAX_TEXT],
        chosen=roles,
        roles=grantable(page, await page.state.roles.list(page.session)),
        domains=policy.allowed_email_domains,
        most=MOST_INVITED,
        faults=faults or {},
        errors=errors or {},
    )


def _parse(text: str) -> dict[str, str]:
    """Names by address, "" where there is none; an address counts once."""
    found: dict[str, tuple[str, str]] = {}
    for part in _BETWEEN.split(text[: _MAX_TEXT + 1]):
        named = _NAMED.fullmatch(part.strip())
        pairs = [(named[2].strip(), named[1].strip())] if named else [(email, "") for email in part.split()]
        for email, name in pairs:
            usable = name if name.isprintable() else ""
            found.setdefault(email_key(email), (email, usable[:MAX_NAME]))
    return dict(found.values())


def _url(query: Mapping[str, str]) -> str:
    return f"{HERE}?{urlencode(query)}" if query else HERE


routes: Final = [
    route(HERE, show_people, "GET"),
    route(INVITE, show_invite, "GET"),
    route(INVITE, invite, "POST"),
]
