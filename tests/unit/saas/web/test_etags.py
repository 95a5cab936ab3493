"""Versions: read once, and not overwritten unseen; seen at the sample feature."""

import asyncio

import httpx
import pytest

from saas.web.etags import ChangedMeanwhile, Expected, etag_of
from saas.web.problems import Problem
from tenants.base import utc_now
from tests.unit.saas.access.world import World

PATH = "/api/v1/projects"


@pytest.fixture
async def client(world: World) -> httpx.AsyncClient:
    return world.client(world.acme, await world.token(world.acme))


async def test_who_has_the_version_is_not_sent_it_again(client: httpx.AsyncClient) -> None:
    made = await client.post(PATH, json={"name": "Apollo"})
    where, etag = made.headers["location"], made.headers["etag"]
    assert (await client.get(where)).headers["etag"] == etag
    for known in (etag, f'"x", W/{etag}', "*"):
        answer = await client.get(where, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    for other in ('"x"', etag.strip('"')):
        assert (await client.get(where, headers={"If-None-Match": other})).status_code == 200


async def test_a_change_of_another_version_is_refused(client: httpx.AsyncClient) -> None:
    made = await client.post(PATH, json={"name": "Apollo"})
    where, first = made.headers["location"], made.headers["etag"]
    changed = await client.patch(where, json={"name": "Gemini"}, headers={"If-Match": first})
    second = changed.headers["etag"]
    assert (changed.status_code, second != first, (await client.get(where)).headers["etag"]) == (200, True, second)
    for stale in (first, f"W/{second}", second.strip('"'), ""):
        for answer in (
            await client.patch(where, json={"name": "Vostok"}, headers={"If-Match": stale}),
            await client.delete(where, headers={"If-Match": stale}),
        ):
            assert (answer.status_code, answer.json()["type"]) == (412, "urn:saas:problem:changed-meanwhile")
    assert (await client.get(where)).json()["name"] == "Gemini"
    either = f"{first}, {second}"
    assert (await client.patch(where, json={"name": "Vostok"}, headers={"If-Match": either})).status_code == 200
    assert (await client.patch(where, json={"name": "Salyut"}, headers={"If-Match": "*"})).status_code == 200
    gone = await client.delete(where, headers={"If-Match": (await client.get(where)).headers["etag"]})
    assert gone.status_code == 204
    assert (await client.delete(where, headers={"If-Match": first})).status_code == 404


async def test_of_changes_at_once_one_is_made(client: httpx.AsyncClient) -> None:
    made = await client.post(PATH, json={"name": "Apollo"})
    where, etag = made.headers["location"], made.headers["etag"]
    changes = (client.patch(where, json={"name": f"Apollo {n}"}, headers={"If-Match": etag}) for n in range(6))
    assert sorted(answer.status_code for answer in await asyncio.gather(*changes)) == [200, *[412] * 5]


def test_a_document_is_its_own_version() -> None:
    now = utc_now()
    assert etag_of(now) == etag_of(now)
    Expected(etag_of(now)).check(now)
    Expected(None).check(now)
    with pytest.raises(ChangedMeanwhile) as raised:
        Expected('"x"').check(now)
    assert isinstance(raised.value, Problem)
