"""The end of a session reaches the clients that took part in it: real rows, a real receiver, a chosen clock."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from sqlalchemy import text

from saas.kit.outbound import Outbound
from saas.oauth import backchannel
from saas.oauth.backchannel import MAX_ATTEMPTS, BackchannelLogout, pause_after
from saas.oauth.grants.logouts import LogoutQueue
from tenants.registry import Tenant
from tests.unit.saas.identity.world import Browser, ChosenClock
from tests.unit.saas.oauth.flow import TOKEN, App, Flow, code_of, tokens_of
from tests.unit.saas.oauth.receiver import Receiver, receiving

EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Channel:
    """Two workers that send what the hook has queued."""

    def __init__(self, flow: Flow, outbound: Outbound) -> None:
        self.flow = flow
        self.clock = ChosenClock()
        self.told: list[UUID] = []
        self.queue = LogoutQueue(self._tell, self.clock)
        services = flow.people.services
        self.workers = [
            BackchannelLogout(services.database, services.keys, self.queue, outbound, self.clock) for _ in range(2)
        ]
        flow.people.app.state.hooks.sessions_ended.append(self.queue.add)

    async def _tell(self, tenant_id: UUID) -> None:
        self.told.append(tenant_id)

    async def deliver(self, tenant: Tenant) -> int:
        return await self.workers[0].deliver(tenant)

    async def waiting(self, tenant: Tenant) -> int:
        return int((await self.flow.execute(tenant, "SELECT count(*) AS n FROM oauth_logout_deliveries")).n)


@pytest.fixture
async def channel(flow: Flow) -> AsyncIterator[Channel]:
    outbound = Outbound(private=True, timeout=0.5)
    yield Channel(flow, outbound)
    await outbound.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving(Receiver()) as running:
        yield running


async def _sign_out(browser: Browser) -> None:
    assert (await browser.submit("/signout", decision="signout")).status_code == 303


async def _app(flow: Flow, tenant: Tenant, receiver: Receiver, **changed: object) -> App:
    return await flow.app(tenant, backchannel_logout_uri=receiver.uri, **changed)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_a_client_of_the_session_gets_a_logout_token(
    flow: Flow, tenant: Tenant, channel: Channel, receiver: Receiver, algorithm: str
) -> None:
    user, browser = await flow.person(tenant)
    app = await _app(flow, tenant, receiver, id_token_signed_response_alg=algorithm)
    await tokens_of(browser, app, scope="openid")
    session = (await flow.execute(tenant, "SELECT id FROM sessions WHERE user_id = :u", u=user.id)).id
    await _sign_out(browser)
    assert channel.told == [tenant.id]
    assert await channel.deliver(tenant) == 1
    ring = await flow.people.services.keys.ring(tenant)
    token = jwt.decode(receiver.tokens[0], KeySet.import_key_set(ring.jwks()), algorithms=[algorithm])  # type: ignore[arg-type]  # their TypedDict
    assert (token.header["typ"], token.header["alg"]) == ("logout+jwt", algorithm)
    assert token.claims.keys() == {"iss", "sub", "aud", "iat", "exp", "jti", "events", "sid"}
    assert token.claims["iss"] == tenant.issuer
    assert token.claims["aud"] == app.client_id
    assert (token.claims["sub"], token.claims["sid"]) == (str(user.id), str(session))
    assert token.claims["events"] == {EVENT: {}}
    assert "content-type: application/x-www-form-urlencoded" in receiver.requests[0].lower()
    assert await channel.waiting(tenant) == 0
    assert await channel.deliver(tenant) == 0


async def test_only_clients_that_took_part_and_want_it_are_told(
    flow: Flow, tenant: Tenant, channel: Channel, receiver: Receiver
) -> None:
    _, browser = await flow.person(tenant)
    await _app(flow, tenant, receiver)  # was never used
    await tokens_of(browser, await flow.app(tenant))  # has no address
    await tokens_of(browser, await _app(flow, tenant, receiver), scope="projects:read")  # knows of no session
    _, neighbour = await flow.person(tenant)
    await tokens_of(neighbour, await _app(flow, tenant, receiver))  # another session
    await _sign_out(browser)
    assert (await channel.waiting(tenant), channel.told) == (0, [])


async def test_a_deliverys_row_is_written_with_the_end_of_the_session_or_not_at_all(
    flow: Flow, tenant: Tenant, channel: Channel, receiver: Receiver
) -> None:
    user, browser = await flow.person(tenant)
    await tokens_of(browser, await _app(flow, tenant, receiver))
    people = flow.people

    async def end_and_fail() -> None:
        async with people.services.database.tenant_session(tenant) as session:
            await people.sessions.end_all(session, tenant, user.id)
            assert await session.scalar(text("SELECT count(*) FROM oauth_logout_deliveries")) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await end_and_fail()
    assert (await channel.waiting(tenant), channel.told) == (0, [])
    assert await browser.is_signed_in()


async def test_what_does_not_come_through_is_tried_again_later_and_later_and_then_given_up(
    flow: Flow, tenant: Tenant, channel: Channel, receiver: Receiver
) -> None:
    _, browser = await flow.person(tenant)
    await tokens_of(browser, await _app(flow, tenant, receiver))
    await _sign_out(browser)
    receiver.status = 503
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert await channel.deliver(tenant) == 0
        assert len(receiver.tokens) == attempt
        assert await channel.deliver(tenant) == 0
        assert len(receiver.tokens) == attempt  # not before its time
        channel.clock.ahead += pause_after(attempt)
    assert await channel.waiting(tenant) == 0
    assert len({jwt_id(token) for token in receiver.tokens}) == MAX_ATTEMPTS


async def test_it_comes_through_once_the_receiver_is_back(
    flow: Flow, tenant: Tenant, channel: Channel, receiver: Receiver
) -> None:
    _, browser = await flow.person(tenant)
    await tokens_of(browser, await _app(flow, tenant, receiver))
    await _sign_out(browser)
    receiver.status, receiver.extra = 302, "Location: /elsewhere\r\n"  # a redirect is not followed
    assert await channel.deliver(tenant) == 0
    assert len(receiver.requests) == 1
    receiver.status, receiver.extra, receiver.delay = 200, "", 5  # too late
    channel.clock.ahead += pause_after(1)
    assert await channel.deliver(tenant) == 0
    receiver.delay = 0
    channel.clock.ahead += pause_after(2)
    assert await channel.deliver(tenant) == 1
    assert await channel.waiting(tenant) == 0


async def test_two_workers_at_once_send_each_token_once(
    flow: Flow, tenant: Tenant, channel: Channel, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backchannel, "_BATCH", 3)
    receiver.delay = 0.05
    app = await _app(flow, tenant, receiver)
    people = 12
    for _ in range(people):
        _, browser = await flow.person(tenant)
        await tokens_of(browser, app)
        await _sign_out(browser)
    sent = await asyncio.gather(*(worker.deliver(tenant) for worker in channel.workers))
    assert sum(sent) == people
    assert min(sent) > 0
    assert len(receiver.tokens) == people
    assert await channel.waiting(tenant) == 0


async def test_what_a_killed_worker_had_taken_is_sent_when_its_lease_is_over(
    flow: Flow, tenant: Tenant, channel: Channel, receiver: Receiver
) -> None:
    _, browser = await flow.person(tenant)
    await tokens_of(browser, await _app(flow, tenant, receiver))
    await _sign_out(browser)
    async with flow.people.services.database.tenant_session(tenant) as session:
        assert len(await channel.queue.take(session, 10, timedelta(minutes=1))) == 1
    assert await channel.deliver(tenant) == 0
    channel.clock.ahead += timedelta(minutes=1)
    assert await channel.deliver(tenant) == 1


async def test_a_session_that_is_over_before_the_code_is_redeemed_yields_nothing(
    flow: Flow, tenant: Tenant, channel: Channel, receiver: Receiver
) -> None:
    """So who took part when the code was issued is whom to tell."""
    _, browser = await flow.person(tenant)
    app = await _app(flow, tenant, receiver)
    code = await code_of(browser, app)
    await _sign_out(browser)
    assert (await browser.http.post(TOKEN, data=app.redemption(code))).json()["error"] == "invalid_grant"
    assert await channel.waiting(tenant) == 1


def jwt_id(token: str) -> str:
    return str(json.loads(jws.extract_compact(token.encode()).payload)["jti"])
