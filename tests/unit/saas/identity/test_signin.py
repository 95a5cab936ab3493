import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from passlib.context import CryptContext
from sqlalchemy import event, select, update

from saas.identity import passwords
from saas.identity.models import UserRow
from saas.identity.users import User
from tenants.registry import Tenant
from tests.unit.saas.identity.world import EMAIL, OTHER_PASSWORD, PASSWORD, Browser, World, comparable


async def test_the_right_password_opens_the_account_page(browser: Browser, ann: User) -> None:
    answer = await browser.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=1209600"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    account = await browser.get("/account")
    assert account.status_code == 200
    assert EMAIL in account.text


async def test_an_address_is_found_in_whatever_case_it_is_typed(browser: Browser, ann: User) -> None:
    assert (await browser.sign_in(email=f"  {EMAIL.upper()} ")).status_code == 303


async def test_the_same_characters_in_another_composition_are_the_same_password(
    world: World, browser: Browser, tenant: Tenant
) -> None:
    await world.add_user(tenant, password="caf\u00e9 \ufb01ve lamps")
    assert (await browser.sign_in(password="cafe\u0301 five lamps")).status_code == 303


@dataclass
class Spy:
    """Notes what argon2 computes, by its parameters, and what the database is asked."""

    noted: list[str] = field(default_factory=list)

    def take(self) -> list[str]:
        noted, self.noted = self.noted, []
        return noted


@pytest.fixture
def spy(dear_hashes: None, monkeypatch: pytest.MonkeyPatch, world: World) -> Iterator[Spy]:
    spy = Spy()
    real: CryptContext = passwords._CONTEXT

    class Noting:
        def hash(self, password: str) -> Any:
            spy.noted.append("hash")
            return real.hash(password)

        def verify_and_update(self, password: str, stored: str) -> Any:
            spy.noted.append("verify " + stored.rsplit("$", 2)[0])
            return real.verify_and_update(password, stored)

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        spy.noted.append(statement)

    engine = world.services.database.engine.sync_engine
    monkeypatch.setattr(passwords, "_CONTEXT", Noting())
    event.listen(engine, "before_cursor_execute", note)
    yield spy
    event.remove(engine, "before_cursor_execute", note)


async def test_nothing_tells_whether_an_account_exists(
    world: World, tenant: Tenant, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text, status, headers, what the database is asked, and what is hashed: the same for five kinds of failure."""
    await world.add_user(tenant, "known@people.example")
    await world.add_user(tenant, "invited@people.example", password=None)
    await world.add_user(tenant, "disabled@people.example")
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.disable(session, tenant, "disabled@people.example")
    # What is noted after the answer is no part of it.
    monkeypatch.setattr(world.background, "start", lambda *_: True)
    seen = []
    for email, password in (
        ("known@people.example", "not it at all"),
        ("nobody@people.example", "not it at all"),
        ("invited@people.example", "not it at all"),
        ("disabled@people.example", "not it at all"),
        ("disabled@people.example", PASSWORD),
    ):
        browser = world.browser(tenant)
        await browser.get("/signin")
        spy.take()
        answer = await browser.post("/signin", email=email, password=password)
        assert password not in answer.text
        assert f'value="{email}"' in answer.text
        # The form token and the challenge for passkeys differ each time.
        text = re.sub(r'name="(?:csrf|state)" value="[^"]+"|data-options="[^"]+"', "", answer.text).replace(email, "")
        seen.append((answer.status_code, text, comparable(answer), spy.take()))
    status, text, _, noted = seen[0]
    assert status == 422
    assert "is not right" in text
    assert len(noted) == 2
    assert noted[0].startswith("SELECT users.id")
    assert noted[1] == "verify $argon2id$v=19$m=19456,t=2,p=1"
    for one in seen[1:]:
        assert one == seen[0]


async def test_a_hash_with_old_parameters_is_replaced_at_sign_in(
    dear_hashes: None, world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    old = CryptContext(["argon2"], argon2__type="ID", argon2__memory_cost=8192, argon2__time_cost=1)
    async with world.services.database.tenant_session(tenant) as session:
        await session.execute(update(UserRow).values(password_hash=old.hash(PASSWORD)).where(UserRow.id == ann.id))
    assert (await browser.sign_in()).status_code == 303
    async with world.services.database.tenant_session(tenant) as session:
        stored = await session.scalar(select(UserRow.password_hash).where(UserRow.id == ann.id))
    assert stored is not None
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify_password(PASSWORD, stored)


IMPOSSIBLE: tuple[tuple[dict[str, str], str], ...] = (
    ({"email": "", "password": "x"}, "Enter your e-mail address"),
    ({"email": "ann@", "password": "x"}, "Enter your e-mail address"),
    ({"email": "a\0b@people.example", "password": "x"}, "Enter your e-mail address"),
    ({"email": "a" * 100_000, "password": "x"}, "Enter your e-mail address"),
    ({"email": EMAIL, "password": ""}, "Enter your password"),
    ({"email": EMAIL, "password": "x" * 1025}, "Enter your password"),
    ({}, "Enter your password"),
)


async def test_what_no_sign_in_can_be_is_said_at_its_field(browser: Browser) -> None:
    await browser.get("/signin")
    for fields, said in IMPOSSIBLE:
        answer = await browser.post("/signin", **fields)
        assert answer.status_code == 422
        assert said in answer.text


async def test_typed_text_is_kept_and_escaped(browser: Browser) -> None:
    answer = await browser.submit("/signin", email='"><script>alert(1)</script>', password=PASSWORD)
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert PASSWORD not in answer.text


async def test_a_login_hint_fills_the_field(browser: Browser) -> None:
    assert f'value="{EMAIL}"' in (await browser.get(f"/signin?return_to=/x&login_hint={EMAIL}")).text


async def test_the_way_to_an_app_names_it_and_ends_in_a_page_that_goes_on(browser: Browser, ann: User) -> None:
    query = "?return_to=%2Foauth2%2Fauthorize%3Fclient_id%3Dapp_notes%26state%3Da%2526b"
    assert "to continue to <strong>Notes</strong>" in (await browser.get(f"/signin{query}")).text
    answer = await browser.sign_in(query=query)
    assert answer.status_code == 200
    assert "0;url=/oauth2/authorize?client_id=app_notes&amp;state=a%26b" in answer.text
    assert await browser.is_signed_in()


async def test_who_is_signed_in_needs_no_form_but_where_it_is_asked_for(browser: Browser, ann: User) -> None:
    await browser.sign_in()
    assert (await browser.get("/signin")).headers["location"] == "/account"
    assert (await browser.get("/signin?return_to=/account")).status_code == 200


async def test_signing_in_again_keeps_the_session_under_a_new_cookie(world: World, browser: Browser, ann: User) -> None:
    await browser.sign_in()
    first = browser.cookie
    await browser.sign_in(query="?return_to=/account")
    assert browser.cookie != first
    async with world.services.database.tenant_session(browser.tenant) as session:
        assert await world.sessions.find(session, first) is None
        assert len(await world.sessions.list(session, ann.id)) == 1
    assert world.told.ended == []


async def test_a_planted_session_is_worth_nothing_after_sign_in(world: World, tenant: Tenant, ann: User) -> None:
    """Fixation: the attacker's own session, in the victim's browser."""
    await world.add_user(tenant, "mallory@people.example", OTHER_PASSWORD)
    attacker, victim = world.browser(tenant), world.browser(tenant)
    await attacker.sign_in("mallory@people.example", OTHER_PASSWORD)
    planted = attacker.cookie
    assert planted is not None
    victim.cookie = planted
    await victim.submit("/signin?return_to=/account", email=EMAIL, password=PASSWORD)
    assert victim.cookie != planted
    assert EMAIL in (await victim.get("/account")).text
    assert not await attacker.is_signed_in()
    assert len(world.told.ended) == 1


async def test_a_cookie_of_somebodys_own_making_is_nobodys(browser: Browser) -> None:
    for planted in ("x" * 43, "x", "", "%00", "A" * 20_000):
        answer = await browser.http.get("/account", headers={"Cookie": f"session={planted}"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/signin?return_to=/account")


async def test_a_form_from_elsewhere_signs_nobody_in(world: World, browser: Browser, ann: User) -> None:
    """Login CSRF: without the cookie and the token that belong together, whatever else is right."""
    fields = {"email": EMAIL, "password": PASSWORD}
    await browser.get("/signin")
    stranger = world.browser(browser.tenant)
    for sender, token, headers in (
        (browser, "", {}),
        (browser, browser.token[::-1], {}),
        (browser, browser.token, {"Origin": "https://evil.example"}),
        (browser, browser.token, {"Sec-Fetch-Site": "same-site"}),
        (stranger, browser.token, {}),
    ):
        answer = await sender.http.post("/signin", data={"csrf": token, **fields}, headers=headers)
        assert answer.status_code == 403
        assert not await sender.is_signed_in()
    assert (await browser.http.post("/signin", content=b"\xff\xfe=1")).status_code == 400


async def test_a_token_of_one_tenant_is_none_at_another(
    world: World, tenant: Tenant, other_tenant: Tenant, browser: Browser
) -> None:
    await world.add_user(other_tenant)
    await browser.get("/signin")
    there = world.browser(other_tenant)
    there.http.cookies.set("csrf", browser.http.cookies["csrf"], domain=other_tenant.host, path="/")
    answer = await there.http.post("/signin", data={"csrf": browser.token, "email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 403


async def test_a_session_of_one_tenant_is_none_at_another(
    world: World, other_tenant: Tenant, browser: Browser, ann: User
) -> None:
    await world.add_user(other_tenant)
    await browser.sign_in()
    there = world.browser(other_tenant)
    assert browser.cookie is not None
    there.cookie = browser.cookie
    assert not await there.is_signed_in()


async def test_no_header_picks_the_tenant_of_a_page(browser: Browser) -> None:
    headers = {"Host": "api.localhost", "X-Tenant": browser.tenant.slug}
    answer = await browser.http.get("/signin", headers=headers)
    assert answer.status_code == 404
    assert browser.tenant.issuer in answer.text


async def test_signing_out_ends_the_session_and_not_only_the_cookie(world: World, browser: Browser, ann: User) -> None:
    await browser.sign_in()
    before = browser.cookie
    assert before is not None
    assert "Sign out?" in (await browser.get("/signout")).text
    assert (await browser.post("/signout", decision="stay")).headers["location"] == "/account"
    answer = await browser.submit("/signout", decision="signout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signout")
    assert browser.cookie is None
    assert "You are signed out" in (await browser.get("/signout")).text
    browser.cookie = before
    assert not await browser.is_signed_in()
    assert [ended.user_id for ended in world.told.ended] == [ann.id]


async def test_signing_out_twice_or_without_a_session_is_no_error(browser: Browser) -> None:
    assert (await browser.post("/signout")).headers["location"] == "/signout"


async def test_nobody_else_can_sign_a_person_out(world: World, browser: Browser, ann: User) -> None:
    await browser.sign_in()
    assert (await browser.http.post("/signout")).status_code == 403
    assert await browser.is_signed_in()


async def test_pages_cannot_be_framed_or_cached(browser: Browser) -> None:
    for path in ("/signin", "/reset", "/signout", "/invitation/x", "/reset/x"):
        headers = (await browser.get(path)).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["x-frame-options"], headers["cache-control"]) == ("DENY", "no-store")
