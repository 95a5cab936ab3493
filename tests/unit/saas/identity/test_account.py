import re

import pytest
from sqlalchemy import select

from saas.identity.apps import ConnectedApp
from saas.identity.models import UserRow
from saas.identity.sessions import SessionInfo
from saas.identity.users import User
from saas.kit.clock import utc_now
from tenants.registry import Tenant
from tests.unit.saas.identity.world import EMAIL, OTHER_PASSWORD, PASSWORD, Browser, World

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


@pytest.fixture
async def here(browser: Browser, ann: User) -> Browser:
    await browser.sign_in()
    return browser


@pytest.fixture
async def elsewhere(world: World, tenant: Tenant, ann: User) -> Browser:
    """The same person, in another browser."""
    browser = world.browser(tenant, "192.0.2.7")
    browser.http.headers["User-Agent"] = FIREFOX
    await browser.sign_in()
    return browser


async def sessions_of(world: World, user: User, tenant: Tenant) -> list[SessionInfo]:
    async with world.services.database.tenant_session(tenant) as session:
        return await world.sessions.list(session, user.id)


FORMS = (
    "/account/profile",
    "/account/password",
    "/account/sessions/end",
    "/account/sessions/end-others",
    "/account/apps/revoke",
)


async def test_strangers_are_sent_to_sign_in(browser: Browser) -> None:
    answers = [await browser.get("/account"), *[await browser.post(path) for path in FORMS]]
    for answer in answers:
        assert (answer.status_code, answer.headers["location"]) == (303, "/signin?return_to=/account")


async def test_no_form_is_taken_without_its_token(here: Browser, ann: User) -> None:
    fields = {"name": "Mallory", "current_password": PASSWORD, "new_password": OTHER_PASSWORD, "app": "app_1"}
    for path in FORMS:
        assert (await here.http.post(path, data=fields)).status_code == 403
    assert f'value="{ann.name}"' in (await here.get("/account")).text


async def test_a_token_from_before_sign_in_is_none_afterwards(world: World, browser: Browser, ann: User) -> None:
    await browser.get("/signin")
    before = browser.token
    await browser.sign_in()
    assert (await browser.http.post("/account/profile", data={"csrf": before, "name": "Mallory"})).status_code == 403


async def test_the_name_can_be_changed(here: Browser) -> None:
    await here.get("/account")
    answer = await here.post("/account/profile", name="  Ann Ångström ")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?notice=profile")
    page = (await here.get(answer.headers["location"])).text
    assert 'value="Ann Ångström"' in page
    assert "Your name is saved." in page


async def test_a_name_that_is_none_is_refused_in_place(here: Browser, ann: User) -> None:
    await here.get("/account")
    for name in ("", " ", "a" * 201, "a\nb", "a\x00b", "a\u202eb", "a" * 100_000):
        answer = await here.post("/account/profile", name=name)
        assert answer.status_code == 422
        assert "A name is one line of at most 200 characters." in answer.text
    assert f'value="{ann.name}"' in (await here.get("/account")).text


async def test_a_new_password_ends_the_other_sessions_and_renews_this_one(
    world: World, here: Browser, elsewhere: Browser, ann: User, tenant: Tenant
) -> None:
    before = here.cookie
    await here.get("/account")
    answer = await here.post("/account/password", current_password=PASSWORD, new_password=OTHER_PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?notice=password")
    assert here.cookie != before
    assert await here.is_signed_in()
    assert not await elsewhere.is_signed_in()
    assert len(world.told.ended) == 1
    assert world.told.reset == []
    await world.background.drain()
    assert (world.outbox.sent[-1].to, "was changed" in world.outbox.sent[-1].subject) == (EMAIL, True)
    again = world.browser(tenant)
    assert (await again.sign_in(password=PASSWORD)).status_code == 422
    assert (await again.sign_in(password=OTHER_PASSWORD)).status_code == 303


REFUSED = (
    ("", OTHER_PASSWORD, "Enter your present password"),
    ("not it at all", OTHER_PASSWORD, "This is not your present password"),
    (PASSWORD, "short", "at least 10 characters"),
    (PASSWORD, EMAIL, "your address or your name"),
    (PASSWORD, "password1234", "tried first"),
    ("x" * 2000, OTHER_PASSWORD, "Enter your present password"),
)


async def test_a_new_password_that_is_refused_changes_nothing(
    world: World, here: Browser, elsewhere: Browser, ann: User
) -> None:
    async def stored() -> str | None:
        async with world.services.database.tenant_session(here.tenant) as session:
            return await session.scalar(select(UserRow.password_hash).where(UserRow.id == ann.id))

    before = await stored()
    await here.get("/account")
    for current, new, said in REFUSED:
        answer = await here.post("/account/password", current_password=current, new_password=new)
        assert answer.status_code == 422
        assert said in answer.text
        assert PASSWORD not in answer.text
        assert OTHER_PASSWORD not in answer.text
    assert await stored() == before
    assert await elsewhere.is_signed_in()


async def test_the_present_password_cannot_be_guessed_here_either(world: World, here: Browser, ann: User) -> None:
    for _ in range(9):  # the tenth attempt: signing in was the first
        await here.get("/account")
        answer = await here.post("/account/password", current_password="guess", new_password=OTHER_PASSWORD)
        assert answer.status_code == 422
    answer = await here.post("/account/password", current_password=PASSWORD, new_password=OTHER_PASSWORD)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "too many attempts" in answer.text


async def test_sessions_are_listed_with_their_devices(here: Browser, elsewhere: Browser) -> None:
    page = (await here.get("/account")).text
    assert "Firefox on Linux" in page
    assert "192.0.2.7" in page
    assert page.count("This device") == 1


async def test_a_session_can_be_ended_from_another(
    world: World, here: Browser, elsewhere: Browser, ann: User, tenant: Tenant
) -> None:
    page = (await here.get("/account")).text
    (session_id,) = re.findall(r'name="session" value="([^"]+)"', page)
    answer = await here.post("/account/sessions/end", session=session_id)
    assert answer.headers["location"] == "/account?notice=session"
    assert not await elsewhere.is_signed_in()
    assert await here.is_signed_in()
    assert [str(ended.session_id) for ended in world.told.ended] == [session_id]


async def test_all_other_sessions_can_be_ended(world: World, here: Browser, elsewhere: Browser, tenant: Tenant) -> None:
    third = world.browser(tenant)
    await third.sign_in()
    await here.get("/account")
    assert (await here.post("/account/sessions/end-others")).headers["location"] == "/account?notice=sessions"
    assert [await browser.is_signed_in() for browser in (here, elsewhere, third)] == [True, False, False]


async def test_what_is_no_session_or_app_is_no_error(here: Browser) -> None:
    await here.get("/account")
    for value in ("", "x", "0" * 32, "\0", "é", "a" * 256):
        assert (await here.post("/account/sessions/end", session=value)).status_code == 303
        assert (await here.post("/account/apps/revoke", app=value)).status_code == 303
    assert await here.is_signed_in()


async def test_nobody_ends_the_session_of_another_person(
    world: World, here: Browser, ann: User, tenant: Tenant
) -> None:
    await world.add_user(tenant, "mallory@people.example", OTHER_PASSWORD)
    mallory = world.browser(tenant)
    await mallory.sign_in("mallory@people.example", OTHER_PASSWORD)
    (session,) = await sessions_of(world, ann, tenant)
    await mallory.get("/account")
    await mallory.post("/account/sessions/end", session=str(session.id))
    assert await here.is_signed_in()


async def test_apps_are_listed_and_can_be_removed(world: World, here: Browser, ann: User) -> None:
    world.apps.of[ann.id] = [ConnectedApp("app_1", "<Notes>", utc_now(), ["Read your <projects>"])]
    page = (await here.get("/account")).text
    assert "&lt;Notes&gt;" in page
    assert "Read your &lt;projects&gt;" in page
    answer = await here.post("/account/apps/revoke", app="app_1")
    assert answer.headers["location"] == "/account?notice=app"
    assert "No app has access" in (await here.get("/account")).text


async def test_only_known_notices_are_shown(here: Browser) -> None:
    assert "<script>" not in (await here.get("/account?notice=<script>alert(1)</script>")).text
