"""A tenant with a person, clients, and one of everything that a tenant hands out."""

import json
import time
from dataclasses import dataclass
from uuid import UUID, uuid4

from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import TextClause, text

from saas.authserver.assertion import METHOD, TYPE
from saas.kit.signing import Signer
from saas.services import Services
from tenants.registry import Tenant
from tests.factories import CALLBACK, AppFactory, MachineFactory
from tests.unit.saas.identity.world import Browser
from tests.unit.saas.oauth.flow import App, ask, claims_of, code_of, tokens_of

EMAIL = "ann@people.example"
INVITED = "bob@people.example"
#: Rows that live a minute must outlive the test.
_LONGER = "UPDATE {} SET expires_at = expires_at + interval '1 hour'"


@dataclass
class Side:
    services: Services
    site: FastAPI
    tenant: Tenant
    user_id: UUID
    browser: Browser
    app: App
    #: A client that proves itself with `key`.
    signer: str
    key: ECKey
    code: str
    tokens: dict[str, str]
    device_code: str
    user_code: str
    request_uri: str
    reset: str
    invitation: str
    #: No test makes a table.
    _digests: TextClause | None = None

    @property
    def credentials(self) -> dict[str, str]:
        return {"client_id": self.app.client_id, "client_secret": self.app.secret}

    def assertion(self, key: ECKey) -> dict[str, str]:
        """What `signer` would say of itself, signed by `key`."""
        claims = {"iss": self.signer, "sub": self.signer, "aud": self.tenant.issuer, "jti": uuid4().hex}
        signed = jwt.encode({"alg": "ES256"}, {**claims, "exp": int(time.time()) + 300}, key)
        return {"client_assertion_type": TYPE, "client_assertion": signed}

    async def forge(self, victim: "Side", kind: str, kid_of: "Side") -> str:
        """What a token of the victim says, signed by the key of this side under somebody's kid."""
        claims = claims_of(victim.tokens["id_token" if kind == "JWT" else "access_token"])
        kid = (await kid_of.services.keys.ring(kid_of.tenant)).signer().kid
        key = (await self.services.keys.ring(self.tenant)).signer().key
        return Signer(kid, "ES256", key).sign(kind, claims)

    async def state(self) -> dict[str, str]:
        """A digest of each table of the tenant."""
        async with self.services.database.tenant_session(self.tenant) as session:
            if self._digests is None:
                found = await session.scalars(
                    text("SELECT table_name FROM information_schema.tables WHERE table_schema = :s"),
                    {"s": self.tenant.schema},
                )
                self._digests = text(" UNION ALL ".join(map(_digest, found)))
            rows = await session.execute(self._digests)
            return {row[0]: row[1] for row in rows}


def _digest(table: str) -> str:
    return f"SELECT '{table}', md5(coalesce(string_agg(r::text, '|' ORDER BY r::text), '')) FROM \"{table}\" AS r"


async def furnish(services: Services, app: FastAPI, tenant: Tenant) -> Side:
    browser, key = Browser(app, tenant), ECKey.generate_key("P-256")
    scopes = ["openid", "email", "offline_access", "projects:read"]
    everything = AppFactory(grant_types=["authorization_code", "refresh_token", "device_code"], scopes=scopes)
    jwks = json.dumps({"keys": [key.as_dict(private=False)]})
    signing = MachineFactory(name="Signer", scopes=["projects:read"], auth_method=METHOD, jwks=jwks)
    async with services.database.tenant_session(tenant) as session:
        user = await services.users.create(session, tenant, email=EMAIL, name="Ann")
        notes = await services.clients.create(session, tenant, everything)
        signer = await services.clients.create(session, tenant, signing)
        browser.cookie = await services.sessions.start(
            session, tenant, user.id, amr=["pwd"], address="127.0.0.1", user_agent="test"
        )
    client = App(*notes, CALLBACK)
    tokens = await tokens_of(browser, client)
    code = await code_of(browser, client)
    credentials = {"client_id": client.client_id, "client_secret": client.secret}
    device = (await browser.http.post("/oauth2/device_authorization", data=credentials)).json()
    pushed = (await browser.http.post("/oauth2/par", data=client.request(prompt="consent") | credentials)).json()
    async with services.database.tenant_session(tenant) as session:
        reset = await services.links.create(session, user.id, "reset")
        invitation = (await services.users.invite(session, tenant, email=INVITED))[1]
        for table in ("oauth_codes", "oauth_pushed_requests"):
            await session.execute(text(_LONGER.format(table)))
    await ask(browser, client, prompt="consent")  # so that it holds a form token
    return Side(
        services,
        app,
        tenant,
        user.id,
        browser,
        client,
        signer.client_id,
        key,
        code,
        tokens,
        device["device_code"],
        device["user_code"],
        pushed["request_uri"],
        reset,
        invitation,
    )
