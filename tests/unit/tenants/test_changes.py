from uuid import UUID, uuid4

import pytest

from tenants.changes import Change, Changes
from tests.unit.tenants.conftest import Process

ONE, TWO = uuid4(), uuid4()


def heard_by(changes: Changes) -> list[UUID | None]:
    heard: list[UUID | None] = []
    changes.listen(heard.append)
    return heard


def message(epoch: int, *tenants: UUID) -> bytes:
    return Change(epoch, frozenset(tenants) or None).dump()


def test_a_message_names_its_tenants() -> None:
    changes = Changes()
    heard = heard_by(changes)
    changes.received(message(1, ONE, TWO))
    assert sorted(map(str, heard)) == sorted(map(str, (ONE, TWO)))


def test_no_tenant_means_all() -> None:
    changes = Changes()
    heard = heard_by(changes)
    changes.received(message(1))
    assert heard == [None]


def test_a_gap_means_that_anything_may_have_changed() -> None:
    changes = Changes()
    heard = heard_by(changes)
    changes.received(message(1, ONE))
    changes.received(message(3, ONE))
    assert heard == [ONE, None]


def test_a_late_message_still_counts() -> None:
    changes = Changes()
    heard = heard_by(changes)
    for epoch, tenant in ((1, ONE), (3, ONE), (2, TWO), (4, TWO)):
        changes.received(message(epoch, tenant))
    assert heard == [ONE, None, TWO, TWO]


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\xff", b"[]", b"7", b"{}", b'{"epoch": 1}', b'{"epoch": 1, "tenants": [7]}', b'{"epoch": 1, "tenants": 7}'],
)
def test_garbage_drops_everything(garbage: bytes) -> None:
    changes = Changes()
    heard = heard_by(changes)
    changes.received(garbage)
    assert heard == [None]


async def test_failing_transport_fails_no_commit() -> None:
    async def publish(_message: bytes) -> None:
        raise ConnectionError

    changes = Changes(publish)
    heard = heard_by(changes)
    await changes.committed(Change(1, frozenset({ONE})))
    assert heard == [ONE]


async def test_poll_notices_what_no_message_told(process: Process) -> None:
    changes = Changes()
    heard = heard_by(changes)

    async def poll() -> None:
        async with process.database.platform_session() as session:
            await changes.poll(session)

    await poll()
    heard.clear()
    await poll()
    assert heard == []
    await process.make()
    await poll()
    assert heard == [None]
