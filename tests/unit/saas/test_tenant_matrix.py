"""Whatever one tenant hands out, at every endpoint of another that takes its like: nothing comes of it.

Routes are read from the application: a new one below the API is tried by itself, any other has to be entered.
"""

import re
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from saas.authserver.device import GRANT_TYPE as DEVICE
from saas.services import Services
from tests.conftest import MakeTenant
from tests.unit.saas.side import Side, furnish
from tests.unit.saas.substitutions import (
    ATTEMPTS,
    AUTHORIZE,
    FORMS,
    LOGOUT,
    OPEN,
    PAGES,
    RESOURCES,
    TOKEN,
    Attempt,
    Endpoint,
    Refused,
)

API = "/api/v1/"


class Sides(NamedTuple):
    theirs: Side
    ours: Side


@pytest.fixture(scope="module")
async def sides(services: Services, app: FastAPI, make_tenant: MakeTenant) -> AsyncIterator[Sides]:
    both = Sides(*[await furnish(services, app, await make_tenant()) for _ in range(2)])
    yield both
    for side in both:
        await side.browser.http.aclose()


def endpoints(app: FastAPI) -> set[Endpoint]:
    contexts = iter_route_contexts(app.routes)
    return {(method, each.path or "") for each in contexts for method in each.methods or () if method != "HEAD"}


def test_every_endpoint_is_tried(app: FastAPI) -> None:
    here = {endpoint for endpoint in endpoints(app) if not endpoint[1].startswith(API)}
    tried = {endpoint for _, endpoint, _, _ in ATTEMPTS}
    assert here == OPEN | RESOURCES | tried
    assert tried >= PAGES


@pytest.mark.parametrize(
    ("attempt", "refused"),
    [
        pytest.param(attempt, refused, id=f"{name} at {method} {path}")
        for name, (method, path), attempt, refused in ATTEMPTS
    ],
)
async def test_it_is_refused_and_changes_nothing(sides: Sides, attempt: Attempt, refused: Refused) -> None:
    theirs, ours = sides
    before = [await side.state() for side in sides]
    answer = await attempt(theirs, ours)
    assert refused(answer), (answer.status_code, answer.headers, answer.text)
    assert [await side.state() for side in sides] == before


@pytest.mark.parametrize("kind", ["access token", "ID token", "their key", "their key under our kid"])
async def test_no_bearer_token_opens_anything(sides: Sides, app: FastAPI, kind: str) -> None:
    theirs, ours = sides
    token = {
        "access token": theirs.tokens["access_token"],
        "ID token": theirs.tokens["id_token"],
        "their key": await theirs.forge(ours, "at+jwt", theirs),
        "their key under our kid": await theirs.forge(ours, "at+jwt", ours),
    }[kind]
    before = await ours.state()
    guarded = sorted(endpoint for endpoint in endpoints(app) if endpoint[1].startswith(API) or endpoint in RESOURCES)
    assert len(guarded) > len(RESOURCES)
    for method, path in guarded:
        url = re.sub(r"\{\w+\}", str(uuid4()), path)
        body = {"name": "Theirs"} if method in {"POST", "PATCH"} else None
        answer = await ours.browser.http.request(method, url, json=body, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401, (method, path)
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert await ours.state() == before


async def test_all_of_it_was_good_at_home(sides: Sides) -> None:
    """What was refused was refused for its place alone. The last test, since it uses things up."""
    for side in sides:
        http, app = side.browser.http, side.app
        bearer = {"Authorization": f"Bearer {side.tokens['access_token']}"}
        assert (await http.get("/oauth2/userinfo", headers=bearer)).status_code == 200
        introspected = await http.post("/oauth2/introspect", data=side.credentials | {"token": side.tokens["id_token"]})
        assert introspected.status_code == 200
        key = {"grant_type": "client_credentials"} | side.assertion(side.key)
        assert (await http.post(TOKEN, data=key)).status_code == 200
        for form in (app.redemption(side.code), app.refresh(side.tokens["refresh_token"])):
            assert (await http.post(TOKEN, data=form)).status_code == 200
        pushed = urlencode({"client_id": app.client_id, "request_uri": side.request_uri})
        assert (await side.browser.get(f"{AUTHORIZE}?{pushed}")).status_code == 200
        for name in ("reset", "invitation"):
            assert (await http.get(f"/{name}/{getattr(side, name)}")).status_code == 200
        assert (await side.browser.get(f"/device?user_code={side.user_code}")).status_code == 200
        assert (await side.browser.post("/device", user_code=side.user_code, **FORMS["/device"])).status_code == 200
        device = {"grant_type": DEVICE, "device_code": side.device_code} | side.credentials
        assert (await http.post(TOKEN, data=device)).status_code == 200
        assert (await side.browser.get("/account")).status_code == 200
        hint = urlencode({"id_token_hint": side.tokens["id_token"]})
        assert "signed out" in (await side.browser.get(f"{LOGOUT}?{hint}")).text
        assert (await side.browser.get("/account")).is_redirect
