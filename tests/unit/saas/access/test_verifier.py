"""What a token must say to be believed, and for how long it is remembered."""

import uuid

import pytest
from joserfc import jwt

from saas.access import jwt as checks
from saas.access.errors import InvalidToken
from saas.access.verifier import REVOKED_CLIENT, TokenVerifier
from tenants.changes import Changes, mark_changed
from tests.unit.saas.access.conftest import Clock, refused
from tests.unit.saas.access.world import ALL_SCOPES, World


async def test_a_good_token_says_who_calls(world: World, verifier: TokenVerifier) -> None:
    caller = await verifier.verify(world.acme, await world.token(world.acme, sub="user-7", jti="j1"))
    assert (caller.tenant_id, caller.subject, caller.client_id) == (world.acme.id, "user-7", "app_1")
    assert caller.scopes == frozenset(ALL_SCOPES.split())
    assert caller.token_ids == ("j1",)


async def test_a_token_of_a_person_names_its_grant(world: World, verifier: TokenVerifier) -> None:
    caller = await verifier.verify(world.acme, await world.token(world.acme, jti="j1", gid="g1"))
    assert caller.token_ids == ("j1", "g1")
    for value in ("", 7, ["g1"]):
        assert await refused(verifier, world.acme, await world.token(world.acme, gid=value)) == checks.MALFORMED


async def test_the_audience_may_be_one_of_several(world: World, verifier: TokenVerifier) -> None:
    token = await world.token(world.acme, aud=["https://files.example", world.acme.issuer])
    assert await verifier.verify(world.acme, token)


async def test_a_token_without_scope_has_none(world: World, verifier: TokenVerifier) -> None:
    assert (await verifier.verify(world.acme, await world.token(world.acme, scope=None))).scopes == frozenset()


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_the_type_is_compared_as_a_media_type(world: World, verifier: TokenVerifier, kind: str) -> None:
    kid, key = await world.signing_key(world.acme)
    token = jwt.encode({"typ": kind, "alg": "ES256", "kid": kid}, world.claims(world.acme), key)
    assert await verifier.verify(world.acme, token)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": -1}, checks.EXPIRED),
        ({"exp": 0}, checks.EXPIRED),
        ({"iat": 60}, checks.NOT_YET_VALID),
        ({"nbf": 60}, checks.NOT_YET_VALID),
    ],
)
async def test_a_token_holds_between_its_times(
    world: World, verifier: TokenVerifier, clock: Clock, changed: dict[str, int], reason: str
) -> None:
    times = {name: int(clock.value) + seconds for name, seconds in changed.items()}
    assert await refused(verifier, world.acme, await world.token(world.acme, **times)) == reason


async def test_a_clock_that_is_a_little_ahead_is_forgiven(world: World, verifier: TokenVerifier, clock: Clock) -> None:
    assert await verifier.verify(world.acme, await world.token(world.acme, iat=int(clock.value) + 4))


@pytest.mark.parametrize("name", ["iss", "tenant"])
@pytest.mark.parametrize("value", [None, "https://evil.example", 7, ["x"]])
async def test_the_issuer_is_this_tenant(world: World, verifier: TokenVerifier, name: str, value: object) -> None:
    assert await refused(verifier, world.acme, await world.token(world.acme, **{name: value})) == checks.WRONG_ISSUER


@pytest.mark.parametrize("value", [None, "https://files.example", [], {"a": 1}, 7])
async def test_the_audience_is_this_tenant(world: World, verifier: TokenVerifier, value: object) -> None:
    assert await refused(verifier, world.acme, await world.token(world.acme, aud=value)) == checks.WRONG_AUDIENCE


@pytest.mark.parametrize("name", ["sub", "client_id", "jti", "exp", "iat"])
@pytest.mark.parametrize("value", [None, "", True, 1.5, ["app_1"], {}])
async def test_claims_are_there_and_of_their_type(
    world: World, verifier: TokenVerifier, name: str, value: object
) -> None:
    assert await refused(verifier, world.acme, await world.token(world.acme, **{name: value})) == checks.MALFORMED


async def test_a_scope_that_is_no_text_is_malformed(world: World, verifier: TokenVerifier) -> None:
    token = await world.token(world.acme, scope=["projects:read"])
    assert await refused(verifier, world.acme, token) == checks.MALFORMED


async def test_the_reason_is_in_the_challenge(world: World, verifier: TokenVerifier) -> None:
    with pytest.raises(InvalidToken) as caught:
        await verifier.verify(world.acme, await world.token(world.acme, exp=1))
    assert caught.value.status == 401
    assert caught.value.headers == {
        "WWW-Authenticate": 'Bearer error="invalid_token", error_description="The token has expired"'
    }


async def test_a_remembered_token_ends_when_it_expires(world: World, verifier: TokenVerifier, clock: Clock) -> None:
    token = await world.token(world.acme, exp=int(clock.value) + 10)
    assert await verifier.verify(world.acme, token) is await verifier.verify(world.acme, token)
    clock.value += 10
    assert await refused(verifier, world.acme, token) == checks.EXPIRED
    assert await refused(verifier, world.acme, token) == checks.EXPIRED


async def test_a_client_that_ends_takes_its_remembered_tokens_along(
    world: World, verifier: TokenVerifier, live: set[str]
) -> None:
    token = await world.token(world.acme)
    await verifier.verify(world.acme, token)
    live.clear()
    async with world.database.tenant_session(world.acme) as session:
        mark_changed(session, world.acme.id)
    assert await refused(verifier, world.acme, token) == REVOKED_CLIENT


async def test_what_changes_at_one_tenant_leaves_the_other_remembered(world: World, verifier: TokenVerifier) -> None:
    acme, globex = await world.token(world.acme), await world.token(world.globex)
    before = await verifier.verify(world.acme, acme), await verifier.verify(world.globex, globex)
    async with world.database.tenant_session(world.acme) as session:
        mark_changed(session, world.acme.id)
    assert await verifier.verify(world.acme, acme) is not before[0]
    assert await verifier.verify(world.globex, globex) is before[1]
    async with world.database.platform_session() as session:
        mark_changed(session, None)
    assert await verifier.verify(world.globex, globex) is not before[1]


async def test_the_token_used_longest_ago_is_forgotten_first(world: World, verifier: TokenVerifier) -> None:
    first, *others = [await world.token(world.acme) for _ in range(4)]
    kept = await verifier.verify(world.acme, first)
    gone = await verifier.verify(world.acme, others[0])
    await verifier.verify(world.acme, others[1])
    assert await verifier.verify(world.acme, first) is kept
    await verifier.verify(world.acme, others[2])
    assert await verifier.verify(world.acme, first) is kept
    assert await verifier.verify(world.acme, others[0]) is not gone


async def test_what_was_verified_while_a_change_came_is_not_remembered(world: World) -> None:
    changes = Changes()
    answers = [True, False]

    async def revoked_meanwhile(*_: object) -> bool:
        answer = answers.pop(0)
        changes._notify(world.acme.id)
        return answer

    verifier = TokenVerifier(world.keys, revoked_meanwhile, changes)
    token = await world.token(world.acme, jti=uuid.uuid4().hex)
    await verifier.verify(world.acme, token)
    assert await refused(verifier, world.acme, token) == REVOKED_CLIENT
