from datetime import timedelta

import pytest
from sqlalchemy import select, update

from saas.identity.models import RecoveryCodeRow, SessionRow, TotpFactorRow
from saas.identity.users import User
from saas.kit.crypto import UnsealError
from tenants.registry import Tenant
from tests.unit.saas.identity.factors import ENROL, SECOND, SECURITY, STEP, Phone, add_app, codes_of, hidden
from tests.unit.saas.identity.world import EMAIL, OTHER_PASSWORD, PASSWORD, Browser, World


@pytest.fixture
async def here(world: World, browser: Browser, ann: User) -> Browser:
    """Ann's browser, in a world where it stays the same half minute."""
    world.clock.fixed = world.clock()
    await browser.sign_in()
    return browser


async def amr_of(world: World, browser: Browser) -> tuple[str, ...]:
    async with world.services.database.tenant_session(browser.tenant) as session:
        found = await world.sessions.find(session, browser.cookie)
        return () if found is None else found.amr


async def test_an_app_is_added_and_asked_for_from_then_on(
    world: World, here: Browser, ann: User, tenant: Tenant
) -> None:
    wrong = await here.submit(f"{SECURITY}/totp", secret="", code="000000")
    assert wrong.status_code == 422
    phone, page = await add_app(world, here)
    codes = codes_of(page)
    assert (page.status_code, len(set(codes))) == (200, 10)
    await world.background.drain()
    assert world.outbox.sent[-1].to == EMAIL
    assert "authenticator app was added" in world.outbox.sent[-1].text
    async with world.services.database.tenant_session(tenant) as session:
        sealed = await session.scalar(select(TotpFactorRow.secret))
        digests = (await session.scalars(select(RecoveryCodeRow.digest))).all()
    assert sealed is not None
    assert phone.totp.byte_secret() not in sealed
    assert phone.totp.secret.encode() not in sealed
    assert not any(code.encode() in digest for code in codes for digest in digests)
    with pytest.raises(UnsealError):
        world.services.sealer.open(sealed, b"totp\0" + tenant.id.bytes + bytes(16))
    other = world.browser(tenant)
    answer = await other.sign_in(query="?return_to=/device")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{SECOND}?return_to=/device")
    assert other.cookie is None
    assert (await other.get("/account")).headers["location"] == "/signin?return_to=/account"
    # Added with the code of this step: it is used up, and so are those before.
    for code in (phone.code(), phone.code(-1), "", "x" * 1000):
        assert (await other.submit(SECOND, code=code)).status_code == 422
    answer = await other.submit(f"{SECOND}?return_to=/device", code=f" {phone.code(1)[:3]} {phone.code(1)[3:]}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/device")
    assert await amr_of(world, other) == ("pwd", "otp", "mfa")
    assert (await other.get(SECOND)).headers["location"] == "/signin"
    third = world.browser(tenant)
    await third.sign_in()
    world.clock.ahead = 3 * STEP
    assert (await third.submit(SECOND, code=phone.code(2))).status_code == 422
    assert (await third.submit(SECOND, code=phone.code(-1))).status_code == 303


async def test_a_recovery_code_works_once(world: World, here: Browser, tenant: Tenant) -> None:
    _, page = await add_app(world, here)
    code = codes_of(page)[3]
    for typed, status in ((code.upper().replace("-", " "), 303), (code, 422), (codes_of(page)[4], 303)):
        other = world.browser(tenant)
        await other.sign_in()
        assert (await other.submit(SECOND, code=typed)).status_code == status
    await world.background.drain()
    assert "8 are left" in world.outbox.sent[-1].text
    assert "8 left" in (await here.get(SECURITY)).text
    fresh = codes_of(await here.post(f"{SECURITY}/codes"))
    assert not set(fresh) & set(codes_of(page))
    other = world.browser(tenant)
    await other.sign_in()
    assert (await other.submit(SECOND, code=codes_of(page)[5])).status_code == 422
    assert (await other.submit(SECOND, code=fresh[0])).status_code == 303


async def test_a_pending_sign_in_is_nothing_elsewhere(
    world: World, here: Browser, tenant: Tenant, other_tenant: Tenant, ann: User
) -> None:
    phone, _ = await add_app(world, here)
    pending = world.browser(tenant)
    await pending.sign_in()
    await pending.get(SECOND)
    cookie = pending.http.cookies.get("pending")
    assert cookie
    fresh, stranger = world.browser(tenant), world.browser(other_tenant)
    stranger.http.cookies.set("pending", cookie, domain=other_tenant.host, path="/")
    stranger.token = pending.token
    for browser in (fresh, stranger):
        for path in (SECOND, ENROL):
            assert (await browser.get(path)).headers["location"] == "/signin"
            assert (await browser.post(path, code=phone.code(1))).headers["location"] == "/signin"
    # With a factor there is no way to add another before the second step.
    assert (await pending.get(ENROL)).headers["location"] == "/signin"
    assert (await pending.post(ENROL, code=phone.code(1))).headers["location"] == "/signin"
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.reset_password(session, tenant, ann.id, "another hash")
    assert (await pending.post(SECOND, code=phone.code(1))).headers["location"] == "/signin"


async def test_codes_cannot_be_guessed(world: World, here: Browser, tenant: Tenant) -> None:
    phone, _ = await add_app(world, here)  # the first of ten attempts
    other = world.browser(tenant, "192.0.2.9")
    await other.sign_in()
    for _ in range(9):
        assert (await other.submit(SECOND, code="123456")).status_code == 422
    answer = await other.submit(SECOND, code=phone.code(1))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    world.app.state.throttle._charge = None  # nobody can count
    assert (await here.submit(f"{SECURITY}/totp")).status_code in {303, 422}
    assert (await other.submit(SECOND, code=phone.code(1))).status_code == 429


async def test_who_needs_a_factor_is_led_to_one(world: World, browser: Browser, ann: User, tenant: Tenant) -> None:
    boss = await world.add_user(tenant, "boss@people.example", roles=["admin"])
    there = world.browser(tenant)
    await there.sign_in(boss.email)
    await browser.sign_in()
    await world.require(tenant, second_factor="admins")
    assert [await browser.is_signed_in(), await there.is_signed_in()] == [True, False]
    assert (await there.sign_in(boss.email, query="?return_to=/device")).headers["location"].startswith(ENROL)
    page = await there.get(f"{ENROL}?return_to=/device")
    phone, sealed = Phone(world, page), hidden(page, "secret")
    assert not await there.is_signed_in()
    wrong = await there.submit(f"{ENROL}?return_to=/device", secret=sealed, code="000000")
    assert (wrong.status_code, Phone(world, wrong).totp.secret) == (422, phone.totp.secret)
    done = await there.post(f"{ENROL}?return_to=/device", secret=hidden(wrong, "secret"), code=phone.code())
    assert (done.status_code, len(codes_of(done))) == (200, 10)
    assert 'href="/device"' in done.text
    assert await amr_of(world, there) == ("pwd", "otp", "mfa")
    await there.get(SECURITY)
    assert (await there.post(f"{SECURITY}/totp/remove")).status_code == 409
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.set_roles(session, tenant, EMAIL, ["admin"])
    assert not await browser.is_signed_in()
    assert (await browser.sign_in()).headers["location"] == ENROL
    await world.require(tenant)
    await there.get(SECURITY)
    assert (await there.post(f"{SECURITY}/totp/remove")).headers["location"].endswith("notice=totp-removed")
    assert (await world.browser(tenant).sign_in(boss.email)).headers["location"] == "/account"


async def test_an_invitation_leads_to_a_factor_too(world: World, browser: Browser, tenant: Tenant) -> None:
    await world.require(tenant, second_factor="everyone", password_min=16)
    path = await world.invite(tenant, "bob@people.example")
    short = await browser.submit(path, name="Bob", new_password="nine quiet")
    assert "at least 16 characters" in short.text
    answer = await browser.submit(path, name="Bob", new_password="nine very quiet rivers")
    assert answer.headers["location"] == f"{ENROL}?return_to=/account%3Fnotice%3Dwelcome"
    assert not await browser.is_signed_in()


async def test_a_new_password_does_not_forget_what_else_was_proven(world: World, here: Browser, tenant: Tenant) -> None:
    phone, _ = await add_app(world, here)
    other = world.browser(tenant)
    await other.sign_in()
    await other.submit(SECOND, code=phone.code(1))
    await other.get("/account")
    await other.post("/account/password", current_password=PASSWORD, new_password=OTHER_PASSWORD)
    assert await amr_of(world, other) == ("pwd", "otp", "mfa")


async def test_something_sensitive_asks_again_who_it_is(world: World, here: Browser, tenant: Tenant) -> None:
    async def age() -> None:
        async with world.services.database.tenant_session(tenant) as session:
            past = {name: world.clock() - timedelta(hours=1) for name in ("authenticated_at", "confirmed_at")}
            await session.execute(update(SessionRow).values(past))

    phone, _ = await add_app(world, here)
    await age()
    asked = await here.get(f"{SECURITY}/passkeys?a=b")
    assert (asked.status_code, asked.headers["location"]) == (
        303,
        "/confirm?return_to=/account/security/passkeys%3Fa%3Db",
    )
    await here.get(SECURITY)
    for path in ("/totp/remove", "/codes", "/passkeys/remove"):
        answer = await here.post(f"{SECURITY}{path}", passkey=str(tenant.id))
        assert answer.headers["location"] == "/confirm?return_to=/account/security&unsent=1"
    page = await here.get(answer.headers["location"])
    assert "was not saved" in page.text
    before = here.cookie
    assert (await here.post("/confirm?return_to=/account/security", password="not it")).status_code == 422
    assert here.cookie == before
    answer = await here.post("/confirm?return_to=//evil.example", password=PASSWORD)
    assert answer.headers["location"] == "/account"
    assert here.cookie != before
    async with world.services.database.tenant_session(tenant) as session:
        found = await world.sessions.find(session, here.cookie)
    assert found is not None
    assert (found.amr, world.clock() - found.authenticated_at > timedelta(minutes=59)) == (("pwd",), True)
    await here.get(SECURITY)
    assert (await here.post(f"{SECURITY}/totp/remove")).headers["location"].endswith("notice=totp-removed")
    assert "You get them with your first" in (await here.get(SECURITY)).text
    await world.background.drain()
    assert "app was removed" in world.outbox.sent[-1].text
    assert phone
