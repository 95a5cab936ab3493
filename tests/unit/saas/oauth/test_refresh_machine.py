"""Refresh families against a model: whatever is done in whatever order, the two agree, and the invariants hold.

The engine and its storage are the real ones, on a real database; the clock is the test's.
"""

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from joserfc.jwk import ECKey
from sqlalchemy import text

from saas.authserver.authorization import Authorization
from saas.authserver.client import Client
from saas.authserver.refresh import RefreshToken
from saas.authserver.request import FormRequest
from saas.authserver.server import Server
from saas.authserver.store import NewFamily, Storage
from saas.authserver.tokens import Issuer
from saas.kit.clock import utc_now
from saas.kit.crypto import Sealer
from saas.kit.signing import Signer
from saas.oauth.grants.revocations import Revocations
from saas.oauth.store import GrantStorage, ResolvedClient
from saas.settings import TokensSettings
from tenants.base import new_id
from tenants.database import Database
from tenants.registry import Tenant
from tests.unit.saas.oauth.flow import CATALOGUE, Flow

T = TypeVar("T")

SIGNER = Signer("key", "ES256", ECKey.generate_key("P-256"))
LIFETIMES = TokensSettings(refresh_idle=600, refresh_absolute=2000, refresh_grace=30)
SCOPES = ("offline_access", "projects:read", "projects:write")
STATES = st.sampled_from([(), ("projects:read",), ("projects:read", "projects:write")])


@dataclass
class Model:
    """What a family should be."""

    grant_id: UUID
    user: int
    owner: Client
    begun: datetime
    used: datetime
    #: Every token it had, the present one last.
    tokens: list[str]
    rotated: datetime | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    ended: bool = False

    def is_over(self, now: datetime) -> bool:
        idle = now - self.used >= timedelta(seconds=LIFETIMES.refresh_idle)
        return self.ended or idle or now - self.begun >= timedelta(seconds=LIFETIMES.refresh_absolute)

    def in_grace(self, token: str, now: datetime) -> bool:
        replaced = len(self.tokens) > 1 and token == self.tokens[-2]
        assert not replaced or self.rotated is not None
        return replaced and now - (self.rotated or now) < timedelta(seconds=LIFETIMES.refresh_grace)


class World:
    """A tenant with two people and two clients, and a loop of its own."""

    def __init__(self, url: str, tenant: Tenant, clients: list[Client], users: list[UUID]) -> None:
        self.loop = asyncio.new_event_loop()
        self.tenant, self.clients, self.users = tenant, clients, users
        self.database = Database(url, pool_size=1)
        self.told: set[str] = set()
        revocations = Revocations(self._tell)
        self.grants = GrantStorage(self.database, CATALOGUE, Sealer(b"k" * 32), revocations, LIFETIMES.access_ttl)

    async def _tell(self, _: UUID, revoked: str, __: datetime) -> None:
        self.told.add(revoked)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def execute(self, statement: str, **parameters: object) -> list[Any]:
        async with self.database.tenant_session(self.tenant) as session:
            result: Any = await session.execute(text(statement), parameters)
            return list(result) if result.returns_rows else []

    def close(self) -> None:
        self.run(self.database.close())
        self.loop.close()


class RefreshFamilies(RuleBasedStateMachine):
    world: ClassVar[World]

    families = Bundle("families")

    def __init__(self) -> None:
        super().__init__()
        self.now = utc_now()
        self.disabled = {0: False, 1: False}
        self.all: list[Model] = []

    @initialize()
    def begin(self) -> None:
        self.world.told.clear()
        self.world.run(self.world.execute("DELETE FROM oauth_refresh_families"))
        self.world.run(self.world.execute("DELETE FROM oauth_revocations"))
        self.world.run(self.world.execute("UPDATE users SET disabled_at = NULL"))

    @rule(target=families, user=st.integers(0, 1), client=st.integers(0, 1))
    def issue(self, user: int, client: int) -> Model:
        owner, token, grant_id = self.world.clients[client], RefreshToken.new(), new_id()
        authorization = self._authorization(grant_id, owner, user)
        end = self.now + timedelta(seconds=LIFETIMES.refresh_absolute)
        new = NewFamily(token, authorization, self.now, end)
        self.world.run(self.world.grants.run(self.world.tenant, lambda storage: storage.families.add(new)))
        model = Model(grant_id, user, owner, self.now, self.now, [str(token)])
        self.all.append(model)
        return model

    @rule(family=families, scope=STATES)
    def refresh(self, family: Model, scope: tuple[str, ...]) -> None:
        """With the present token."""
        self._present(family, family.tokens[-1], family.owner, scope)

    @rule(family=families)
    def retry(self, family: Model) -> None:
        """The last request once more."""
        if len(family.tokens) > 1:
            self._present(family, family.tokens[-2], family.owner, family.answer["scope"])

    @rule(family=families, early=st.booleans())
    def retry_when_the_grace_ends(self, family: Model, early: bool) -> None:
        if family.rotated is not None:
            end = family.rotated + timedelta(seconds=LIFETIMES.refresh_grace - early)
            if end >= self.now:
                self.now = end
                self.retry(family)

    @rule(family=families, scope=STATES)
    def use_the_replaced_token_for_something_else(self, family: Model, scope: tuple[str, ...]) -> None:
        if len(family.tokens) > 1:
            self._present(family, family.tokens[-2], family.owner, scope)

    @rule(family=families, age=st.integers(3, 9))
    def replay(self, family: Model, age: int) -> None:
        """An older token."""
        if len(family.tokens) >= age:
            self._present(family, family.tokens[-age], family.owner, ())

    @rule(family=families)
    def forge(self, family: Model) -> None:
        """The handle, which is no secret of much worth, with a guessed secret."""
        self._present(family, f"{family.tokens[0].partition('.')[0]}.{'x' * 43}", family.owner, ())

    @rule(family=families, age=st.integers(1, 3))
    def present_at_another_client(self, family: Model, age: int) -> None:
        other = next(client for client in self.world.clients if client is not family.owner)
        if len(family.tokens) >= age:
            self._present(family, family.tokens[-age], other, ())

    @rule(family=families)
    def ask_for_more(self, family: Model) -> None:
        """It is refused before anything is replaced."""
        if self._is_good(family, family.tokens[-1], family.owner):
            status, body = self._post(family.tokens[-1], family.owner, ("billing:read",))
            assert (status, body["error"]) == (400, "invalid_scope")

    @rule(family=families)
    def revoke(self, family: Model) -> None:
        def work(storage: Storage) -> None:
            storage.families.end(self._authorization(family.grant_id, family.owner, family.user), self.now)

        self.world.run(self.world.grants.run(self.world.tenant, work))
        family.ended = True

    def _authorization(self, grant_id: UUID, owner: Client, user: int) -> Authorization:
        return Authorization(grant_id, owner, self.world.users[user], SCOPES, None, self.now, ("pwd",), None, None)

    @rule(family=families, age=st.integers(1, 2))
    def disable_and_refresh(self, family: Model, age: int) -> None:
        """Without what an administrator's command ends at once: what is presented later is refused all the same."""
        self._disable(family.user, True)
        if len(family.tokens) >= age:
            self._present(family, family.tokens[-age], family.owner, ())

    @rule(user=st.integers(0, 1))
    def enable(self, user: int) -> None:
        self._disable(user, False)

    def _disable(self, user: int, disabled: bool) -> None:
        value = "now()" if disabled else "NULL"
        change = f"UPDATE users SET disabled_at = {value} WHERE id = :user"
        self.world.run(self.world.execute(change, user=self.world.users[user]))
        self.disabled[user] = disabled

    @rule(seconds=st.sampled_from([1, 15, 29, 30, 31, 300, 599, 600, 1400]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def what_is_stored_is_what_the_model_says(self) -> None:
        rows = self.world.run(
            self.world.execute(
                "SELECT f.id, f.revoked_at, f.digest, f.previous_digest, f.answer, f.scopes, r.id AS told "
                "FROM oauth_refresh_families f LEFT JOIN oauth_revocations r ON r.id = f.id::text"
            )
        )
        stored = {row.id: row for row in rows}
        assert stored.keys() == {model.grant_id for model in self.all}
        for model in self.all:
            row = stored[model.grant_id]
            assert (row.revoked_at is not None) is model.ended
            assert (row.told is not None) is model.ended
            assert (str(model.grant_id) in self.world.told) is model.ended
            assert tuple(row.scopes) == SCOPES
            assert not model.ended or (row.answer is None and row.previous_digest is None)
            for token in model.tokens:
                assert token.partition(".")[2].encode() not in (row.answer or b"")

    def _present(self, family: Model, token: str, client: Client, scope: tuple[str, ...]) -> None:
        before = dict(family.answer)
        expected = self._expected(family, token, client, scope)
        status, body = self._post(token, client, scope)
        if not expected:
            assert (status, body["error"]) == (400, "invalid_grant")
            return
        assert status == 200
        assert set(body["scope"].split()) <= set(SCOPES)
        if token == family.tokens[-1]:
            assert body["refresh_token"] not in family.tokens
            family.tokens.append(body["refresh_token"])
            family.rotated = family.used = self.now
            family.answer = {"scope": scope, "body": body}
        elif scope == before["scope"]:
            assert body == before["body"]
        else:
            assert body["refresh_token"] == family.tokens[-1]

    def _expected(self, family: Model, token: str, client: Client, scope: tuple[str, ...]) -> bool:
        """Whether tokens are given; notes what the attempt does to the family."""
        if family.is_over(self.now):
            return False
        family.ended = not self._is_good(family, token, client)
        return not family.ended

    def _is_good(self, family: Model, token: str, client: Client) -> bool:
        mine = client is family.owner and not self.disabled[family.user] and not family.is_over(self.now)
        return mine and (token == family.tokens[-1] or family.in_grace(token, self.now))

    def _post(self, token: str, client: Client, scope: tuple[str, ...]) -> tuple[int, dict[str, Any]]:
        form = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client.client_id)]
        request = FormRequest("POST", "https://acme.example/oauth2/token", {}, [*form, ("scope", " ".join(scope))])
        issuer = Issuer("https://acme.example", str(self.world.tenant.id), SIGNER, LIFETIMES.access_ttl)

        def work(storage: Storage) -> Any:
            return Server(issuer, ResolvedClient(client), storage, lifetimes=LIFETIMES, now=self.now).token(request)

        answer = self.world.run(self.world.grants.run(self.world.tenant, work))
        return answer.status, json.loads(answer.body)


@pytest.fixture
async def world(flow: Flow, tenant: Tenant) -> World:
    users = [(await flow.people.add_user(tenant, f"{n}@people.example", None)).id for n in range(2)]
    apps = [await flow.app(tenant, auth_method="none") for _ in range(2)]
    clients = [await flow.clients.find(tenant, app.client_id) for app in apps]
    url = flow.people.services.settings.database.url
    return World(url, tenant, [client for client in clients if client], users)


def test_whatever_is_done_the_families_are_as_the_model_says(world: World) -> None:
    RefreshFamilies.world = world
    few = settings(max_examples=30, stateful_step_count=40, deadline=None)
    try:
        run_state_machine_as_test(RefreshFamilies, settings=few)
    finally:
        world.close()
