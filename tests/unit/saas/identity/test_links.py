import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from saas.identity.models import MailedLinkRow, UserRow
from saas.identity.users import User
from saas.kit.crypto import digest
from tenants.registry import Tenant
from tests.unit.saas.identity.world import EMAIL, OTHER_PASSWORD, PASSWORD, Browser, World

INVITED = "bob@people.example"


async def test_a_reset_changes_the_password_and_ends_every_session(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    signed_in = world.browser(tenant)
    await signed_in.sign_in()
    path = await world.reset_link(browser)
    assert world.outbox.sent[-1].to == EMAIL
    assert EMAIL in (await browser.get(path)).text
    answer = await browser.post(path, new_password=OTHER_PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?notice=password-reset")
    assert "Sign in with the new one" in (await browser.get(answer.headers["location"])).text
    assert not await signed_in.is_signed_in()
    assert world.told.reset == [ann.id]
    assert (await browser.sign_in(password=PASSWORD)).status_code == 422
    assert (await browser.sign_in(password=OTHER_PASSWORD)).status_code == 303
    await world.background.drain()
    assert "was changed" in world.outbox.sent[-1].subject


async def test_the_answer_to_a_request_tells_nothing(world: World, tenant: Tenant, ann: User) -> None:
    await world.add_user(tenant, "gone@people.example")
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.disable(session, tenant, "gone@people.example")
    seen = []
    for email in (EMAIL, "gone@people.example", "nobody@people.example"):
        answer = await world.browser(tenant).submit("/reset", email=email)
        headers = {
            name: text for name, text in answer.headers.items() if name not in {"x-request-id", "content-length"}
        }
        seen.append((answer.status_code, answer.text.replace(email, ""), headers))
    assert seen[0][0] == 200
    assert seen[1:] == [seen[0], seen[0]]
    await world.background.drain()
    assert [message.to for message in world.outbox.sent] == [EMAIL]


async def test_the_answer_waits_neither_for_the_look_up_nor_for_the_mail(
    world: World, browser: Browser, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, allowed = asyncio.Event(), asyncio.Event()

    class Slow:
        async def send(self, message: object) -> None:
            begun.set()
            await allowed.wait()

    monkeypatch.setattr(world.app.state, "mailer", Slow())
    assert (await browser.submit("/reset", email=EMAIL)).status_code == 200
    await begun.wait()
    allowed.set()


async def test_a_link_goes_to_the_stored_address_only(world: World, browser: Browser, tenant: Tenant) -> None:
    """A typed address that only folds to the stored one (here with a long s) is somebody else's mailbox."""
    await world.add_user(tenant, "Support@people.example")
    await world.reset_link(browser, "\u017fupport@people.example")
    assert world.outbox.sent[-1].to == "Support@people.example"


async def test_the_token_is_stored_as_a_digest_and_long_enough(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    token = (await world.reset_link(browser)).rpartition("/")[2]
    assert len(token) == 43
    async with world.services.database.tenant_session(tenant) as session:
        assert await session.scalar(select(MailedLinkRow.digest)) == digest(token)


async def test_looking_at_a_link_does_not_use_it_up(world: World, browser: Browser, ann: User) -> None:
    path = await world.reset_link(browser)
    for _ in range(3):
        assert (await browser.get(path)).status_code == 200


async def test_a_refused_password_leaves_the_link_good(world: World, browser: Browser, ann: User) -> None:
    path = await world.reset_link(browser)
    for password in ("short", "password1234", EMAIL, "x" * 5000):
        refused = await browser.submit(path, new_password=password)
        assert refused.status_code == 422
        assert f'value="{password}"' not in refused.text.replace(f'name="email" value="{EMAIL}"', "")
    assert (await browser.submit(path, new_password=OTHER_PASSWORD)).status_code == 303


async def test_a_link_works_once(world: World, browser: Browser, ann: User) -> None:
    path = await world.reset_link(browser)
    await browser.get(path)
    assert (await browser.post(path, new_password=OTHER_PASSWORD)).status_code == 303
    again = await browser.post(path, new_password="three old bridges")
    assert again.status_code == 404
    assert "does not work any more" in again.text
    assert (await browser.sign_in(password=OTHER_PASSWORD)).status_code == 303


async def test_a_used_link_is_refused_by_itself(world: World, ann: User, tenant: Tenant) -> None:
    """Not only because a new password withdraws the links that were sent."""
    async with world.services.database.tenant_session(tenant) as session:
        token = await world.links.create(session, ann.id, "reset")
        assert await world.links.use(session, token, "reset") is not None
        assert await world.links.use(session, token, "reset") is None
        assert await world.links.find(session, token, "reset") is None


async def test_a_link_expires(world: World, browser: Browser, ann: User) -> None:
    path = await world.reset_link(browser)
    world.clock.ahead = timedelta(minutes=29)
    await browser.get(path)
    assert (await browser.get(path)).status_code == 200
    world.clock.ahead = timedelta(minutes=31)
    assert (await browser.get(path)).status_code == 404
    assert (await browser.post(path, new_password=OTHER_PASSWORD)).status_code == 404


async def test_a_link_is_none_at_another_tenant(
    world: World, browser: Browser, ann: User, other_tenant: Tenant
) -> None:
    await world.add_user(other_tenant)
    path = await world.reset_link(browser)
    there = world.browser(other_tenant)
    await there.get("/reset")
    assert (await there.get(path)).status_code == 404
    assert (await there.post(path, new_password=OTHER_PASSWORD)).status_code == 404
    assert (await browser.submit(path, new_password=OTHER_PASSWORD)).status_code == 303


async def test_a_link_is_none_for_another_purpose(world: World, browser: Browser, ann: User, tenant: Tenant) -> None:
    reset = await world.reset_link(browser)
    invitation = await world.invite(tenant, INVITED)
    for path in (reset.replace("/reset/", "/invitation/"), invitation.replace("/invitation/", "/reset/")):
        assert (await browser.get(path)).status_code == 404
        assert (await browser.post(path, name="x", new_password=OTHER_PASSWORD)).status_code == 404


async def test_a_token_of_somebodys_own_making_is_none(browser: Browser) -> None:
    await browser.get("/reset")
    for token in ("x", "x" * 43, "x" * 5000, "%00", "é", "a%2Fb"):
        for path in (f"/reset/{token}", f"/invitation/{token}"):
            assert (await browser.get(path)).status_code == 404
            assert (await browser.post(path, name="x", new_password=OTHER_PASSWORD)).status_code == 404


async def test_a_new_link_replaces_the_one_before(world: World, browser: Browser, ann: User) -> None:
    first = await world.reset_link(browser)
    second = await world.reset_link(browser)
    assert (await browser.get(first)).status_code == 404
    assert (await browser.get(second)).status_code == 200


async def test_a_changed_password_ends_the_links_that_were_sent(world: World, browser: Browser, ann: User) -> None:
    path = await world.reset_link(browser)
    await browser.sign_in()
    await browser.get("/account")
    await browser.post("/account/password", current_password=PASSWORD, new_password=OTHER_PASSWORD)
    assert (await browser.get(path)).status_code == 404


async def test_a_disabled_users_link_does_not_work(world: World, browser: Browser, ann: User, tenant: Tenant) -> None:
    path = await world.reset_link(browser)
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.disable(session, tenant, EMAIL)
        await world.users.enable(session, tenant, EMAIL)
    assert (await browser.get(path)).status_code == 404


async def test_of_many_who_use_a_link_at_once_one_succeeds(world: World, browser: Browser, ann: User) -> None:
    path = await world.reset_link(browser)
    await browser.get(path)
    passwords = [f"{word} quiet rivers" for word in ("two", "three", "four", "five", "six", "seven", "eight", "nine")]
    answers = await asyncio.gather(*(browser.post(path, new_password=password) for password in passwords))
    statuses = [answer.status_code for answer in answers]
    assert sorted(statuses) == [303] + [404] * 7
    winner = passwords[statuses.index(303)]
    assert (await browser.sign_in(password=winner)).status_code == 303


async def test_an_invitation_sets_name_and_password_and_signs_in(
    world: World, browser: Browser, tenant: Tenant
) -> None:
    path = await world.invite(tenant, INVITED)
    page = await browser.get(path)
    assert INVITED in page.text
    answer = await browser.post(path, name=" Bob B. ", new_password=PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account?notice=welcome")
    account = (await browser.get(answer.headers["location"])).text
    assert 'value="Bob B."' in account
    assert "Welcome!" in account
    assert (await browser.get(path)).status_code == 404
    assert (await world.browser(tenant).sign_in(INVITED)).status_code == 303


async def test_what_was_typed_into_an_invitation_is_kept_but_for_the_password(
    world: World, browser: Browser, tenant: Tenant
) -> None:
    path = await world.invite(tenant, INVITED)
    answer = await browser.submit(path, name="Bob", new_password="bob")
    assert answer.status_code == 422
    assert 'value="Bob"' in answer.text
    assert 'value="bob"' not in answer.text
    answer = await browser.submit(path, name=" ", new_password=PASSWORD)
    assert "A name is one line" in answer.text
    assert PASSWORD not in answer.text


async def test_of_many_who_accept_an_invitation_at_once_one_succeeds(
    world: World, browser: Browser, tenant: Tenant
) -> None:
    path = await world.invite(tenant, INVITED)
    await browser.get(path)
    answers = await asyncio.gather(*(browser.post(path, name=f"Bob {n}", new_password=PASSWORD) for n in range(6)))
    assert sorted(answer.status_code for answer in answers) == [303, 404, 404, 404, 404, 404]


async def test_an_invitation_is_over_once_there_is_a_password(world: World, browser: Browser, tenant: Tenant) -> None:
    invitation = await world.invite(tenant, INVITED)
    reset = await world.reset_link(browser, INVITED)
    await browser.submit(reset, new_password=PASSWORD)
    assert (await browser.get(invitation)).status_code == 404


async def test_an_invitation_expires(world: World, browser: Browser, tenant: Tenant) -> None:
    path = await world.invite(tenant, INVITED)
    world.clock.ahead = timedelta(days=7, minutes=1)
    assert (await browser.get(path)).status_code == 404


async def test_an_invitation_ends_the_session_of_whoever_used_the_browser(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    await browser.sign_in()
    before = browser.cookie
    path = await world.invite(tenant, INVITED)
    await browser.submit(path, name="Bob", new_password=PASSWORD)
    assert INVITED in (await browser.get("/account")).text
    async with world.services.database.tenant_session(tenant) as session:
        assert await world.sessions.find(session, before) is None


async def test_no_form_is_taken_without_its_token(browser: Browser) -> None:
    for path in ("/reset/x", "/invitation/x", "/reset"):
        assert (await browser.http.post(path, data={"email": EMAIL, "new_password": PASSWORD})).status_code == 403


async def test_expired_links_are_deleted_in_batches(world: World, browser: Browser, ann: User, tenant: Tenant) -> None:
    await world.reset_link(browser)
    for number in range(3):
        await world.invite(tenant, f"p{number}@people.example")
    world.clock.ahead = timedelta(hours=1)
    async with world.services.database.tenant_session(tenant) as session:
        assert await world.links.purge(session) == 1
    world.clock.ahead = timedelta(days=8)
    async with world.services.database.tenant_session(tenant) as session:
        assert await world.links.purge(session, limit=2) == 2
        assert await world.links.purge(session, limit=2) == 1
        assert await session.scalar(select(func.count()).select_from(MailedLinkRow)) == 0


async def test_a_password_that_somebody_else_sets_at_the_same_moment_wins(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    """What was verified outside of the transaction no longer holds inside."""
    async with world.services.database.tenant_session(tenant) as session:
        proven = await world.users.credentials(session, EMAIL)
        assert proven is not None
        await session.execute(update(UserRow).where(UserRow.id == ann.id).values(password_hash="changed"))
    async with world.services.database.tenant_session(tenant) as session:
        assert not await world.users.confirm(session, proven)
        assert not await world.users.confirm(session, proven, "rehashed")
        assert not await world.users.change_password(session, tenant, proven, "new", keep=ann.id)
