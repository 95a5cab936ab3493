import json
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from saas.identity.models import PasskeyRow, SpentChallengeRow
from saas.identity.users import User
from tenants.registry import Tenant
from tests.unit.saas.identity.authenticator import Authenticator, decode, encode
from tests.unit.saas.identity.factors import (
    ENROL,
    SECOND,
    SECURITY,
    add_passkey,
    codes_of,
    hidden,
    options_of,
    use_passkey,
)
from tests.unit.saas.identity.world import EMAIL, Browser, World

SIGN_IN, ALONE = "/signin", "/signin/passkey"


@pytest.fixture
async def here(browser: Browser, ann: User) -> Browser:
    await browser.sign_in()
    return browser


async def amr_of(world: World, browser: Browser) -> tuple[str, ...]:
    async with world.services.database.tenant_session(browser.tenant) as session:
        found = await world.sessions.find(session, browser.cookie)
        return () if found is None else found.amr


async def test_a_passkey_signs_in_alone_and_as_a_second_step(
    world: World, here: Browser, ann: User, tenant: Tenant
) -> None:
    key, page = await add_passkey(here)
    assert (page.status_code, len(codes_of(page))) == (200, 10)
    asked = options_of(await here.get(f"{SECURITY}/passkeys"))
    assert asked["rp"] == {"id": tenant.host, "name": tenant.name}
    assert [decode(each["id"]) for each in asked["excludeCredentials"]] == [key.credential_id]
    chosen = asked["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")
    other = world.browser(tenant)
    answer = await use_passkey(other, f"{SIGN_IN}?return_to=/device", key, f"{ALONE}?return_to=/device")
    assert (answer.status_code, answer.headers["location"]) == (303, "/device")
    assert await amr_of(world, other) == ("hwk", "user", "mfa")
    third = world.browser(tenant)
    assert (await third.sign_in()).headers["location"] == SECOND
    key.verifies = False
    assert (await use_passkey(third, SECOND, key)).headers["location"] == "/account"
    assert await amr_of(world, third) == ("pwd", "hwk", "user", "mfa")
    key.verifies, before = True, other.cookie
    assert (await use_passkey(other, "/confirm?return_to=/device", key, "/confirm/passkey?return_to=/device")).headers[
        "location"
    ] == "/device"
    assert other.cookie != before
    assert "used <time" in (await here.get(SECURITY)).text


async def test_a_synced_passkey_is_software_and_need_not_count(world: World, here: Browser, tenant: Tenant) -> None:
    key, _ = await add_passkey(here, Authenticator(tenant.issuer, synced=True, counts=False))
    for _ in range(2):
        other = world.browser(tenant)
        assert (await use_passkey(other, SIGN_IN, key, ALONE)).headers["location"] == "/account"
        assert await amr_of(world, other) == ("swk", "user", "mfa")


async def test_whatever_is_not_right_about_an_answer_is_refused(
    world: World, here: Browser, ann: User, tenant: Tenant, other_tenant: Tenant
) -> None:
    key, _ = await add_passkey(here)
    other = world.browser(tenant)
    page = await other.get(SIGN_IN)
    options, state = options_of(page), hidden(page, "state")
    good = json.loads(key.get(options))

    def changed(**parts: str) -> str:
        return json.dumps(good | {"response": good["response"] | parts})

    stranger = Authenticator(tenant.issuer, user_handle=ann.id.bytes, sign_count=9)
    answers = {
        "origin": replace(key, origin="https://evil.example").get(options),
        "another port": replace(key, origin=tenant.issuer.replace("8000", "8001")).get(options),
        "another host": key.get({**options, "rpId": other_tenant.host}),
        "challenge": key.get({**options, "challenge": encode(b"x" * 43)}),
        "not verified": replace(key, verifies=False).get(options),
        "another key": replace(stranger, credential_id=key.credential_id).get(options),
        "unknown key": stranger.get(options),
        "somebody else": changed(userHandle=encode(bytes(16))),
        "signature": changed(signature=encode(b"0" * 70)),
        "type": changed(clientDataJSON=encode(decode(good["response"]["clientDataJSON"]).replace(b".get", b".create"))),
        "no data": changed(authenticatorData=""),
        "no JSON": "{",
        "a list": "[]",
        "nothing": "",
        "too much": "x" * 20_000,
    }
    for name, answer in answers.items():
        refused = await other.post(ALONE, state=state, credential=answer)
        assert refused.headers["location"] == "/signin?notice=passkey", name
        assert not await other.is_signed_in()
    for wrong in ("", "x", hidden(await here.get("/confirm"), "state")):
        assert (
            "notice=passkey" in (await other.post(ALONE, state=wrong, credential=json.dumps(good))).headers["location"]
        )
    assert "was not accepted" in (await other.get("/signin?notice=passkey")).text
    # Another browser has another cookie.
    third = world.browser(tenant)
    await third.get(SIGN_IN)
    assert "notice=passkey" in (await third.post(ALONE, state=state, credential=json.dumps(good))).headers["location"]
    await other.get(SIGN_IN)
    assert (await other.post(ALONE, state=state, credential=json.dumps(good))).headers["location"] == "/account"
    # A challenge is answered once, even where a passkey does not count.
    async with world.services.database.tenant_session(tenant) as session:
        await session.execute(update(PasskeyRow).values(sign_count=0))
        assert len((await session.scalars(select(SpentChallengeRow))).all()) == 2
    other.http.cookies.delete("session")
    await other.get(SIGN_IN)
    assert "notice" in (await other.post(ALONE, state=state, credential=json.dumps(good))).headers["location"]


async def test_a_passkey_that_counts_backwards_is_noticed(
    world: World, here: Browser, tenant: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    key, _ = await add_passkey(here)
    key.sign_count = 5
    assert (await use_passkey(world.browser(tenant), SIGN_IN, key, ALONE)).headers["location"] == "/account"
    copy = replace(key, sign_count=5)
    copy.sign_count = 2
    other = world.browser(tenant)
    await other.sign_in()
    refused = await use_passkey(other, SECOND, copy)
    assert (refused.status_code, "may have been copied" in refused.text) == (422, True)
    assert "counts backwards" in caplog.text


async def test_a_disabled_persons_passkey_opens_nothing(world: World, here: Browser, tenant: Tenant) -> None:
    key, _ = await add_passkey(here)
    async with world.services.database.tenant_session(tenant) as session:
        await world.users.disable(session, tenant, EMAIL)
    assert "notice" in (await use_passkey(world.browser(tenant), SIGN_IN, key, ALONE)).headers["location"]


async def test_passkeys_are_named_and_removed_by_their_owner(world: World, here: Browser, tenant: Tenant) -> None:
    key, _ = await add_passkey(here)
    again = await add_passkey(here, replace(key))
    assert (again[1].status_code, "added already" in again[1].text) == (422, True)
    await add_passkey(here)
    page = await here.get(SECURITY)
    first = hidden(page, "passkey")
    mallory = world.browser(tenant)
    await world.add_user(tenant, "mallory@people.example")
    await mallory.sign_in("mallory@people.example")
    await mallory.get(SECURITY)
    for path in ("rename", "remove"):
        for value in (first, "", "x", str(tenant.id)):
            answer = await mallory.post(f"{SECURITY}/passkeys/{path}", passkey=value, name="Mine")
            assert answer.headers["location"] == SECURITY
    await here.get(SECURITY)
    await here.post(f"{SECURITY}/passkeys/rename", passkey=first, name="  <b>Blue</b> key\u202e ")
    assert "&lt;b&gt;Blue&lt;/b&gt; key</strong>" in (await here.get(SECURITY)).text
    await world.require(tenant, second_factor="everyone")
    assert (await use_passkey(here, SIGN_IN + "?return_to=/account", key, ALONE)).status_code == 303
    await here.get(SECURITY)
    answer = await here.post(f"{SECURITY}/passkeys/remove", passkey=first)
    assert answer.headers["location"].endswith("notice=passkey-removed")
    last = await here.post(f"{SECURITY}/passkeys/remove", passkey=hidden(await here.get(SECURITY), "passkey"))
    assert (last.status_code, "add another one" in last.text) == (409, True)
    assert "notice" in (await use_passkey(world.browser(tenant), SIGN_IN, key, ALONE)).headers["location"]


async def test_a_passkey_is_a_way_in_where_a_factor_is_required(
    world: World, browser: Browser, ann: User, tenant: Tenant
) -> None:
    await world.require(tenant, second_factor="everyone")
    assert (await browser.sign_in()).headers["location"] == ENROL
    key, page = Authenticator(tenant.issuer), await browser.get(ENROL)
    fields = {"state": hidden(page, "state"), "credential": key.create(options_of(page))}
    assert len(codes_of(await browser.post(f"{ENROL}/passkey", **fields))) == 10
    assert await amr_of(world, browser) == ("pwd", "hwk", "user", "mfa")
    assert (await browser.post(f"{ENROL}/passkey", **fields)).headers["location"] == "/signin"
