"""A statement prepared before a migration never fails the request after it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import Text, bindparam, column, insert, select, table, text
from sqlalchemy.exc import DBAPIError

from tenants.registry import Tenant
from tenants.stale import FreshAttemptMiddleware, is_stale
from tenants.statements import Statement
from tests.unit.tenants.conftest import Process

THINGS = table("things", column("name", Text()))
NAMES = select(THINGS.c.name).where(THINGS.c.name == bindparam("name", type_=Text()))
ADD = insert(THINGS).values(name="x").returning(THINGS.c.name)
DIRECT = Statement(NAMES)
#: What a release may do to a table while the one before it serves.
ADDITIVE = (
    "ALTER TABLE things ADD COLUMN added text",
    "CREATE INDEX things_added_idx ON things (added)",
    "ALTER TABLE things ADD CONSTRAINT things_added CHECK (added <> '')",
    "ALTER TABLE things ALTER COLUMN name SET NOT NULL",
)
RETYPE = "ALTER TABLE things ALTER COLUMN name TYPE varchar({})"

Work = Callable[[], Awaitable[object]]


@pytest.fixture
async def tenant(process: Process) -> Tenant:
    made = await process.make()
    await execute(process, made, "CREATE TABLE things (name text)")
    return made


async def execute(process: Process, tenant: Tenant, statement: str) -> None:
    async with process.database.tenant_session(tenant) as session:
        await session.execute(text(statement))


def ways(process: Process, tenant: Tenant) -> dict[str, Work]:
    """Each way to ask the database."""

    async def in_session() -> object:
        async with process.database.tenant_session(tenant) as session:
            return (await session.execute(NAMES, {"name": "x"})).all()

    async def in_direct() -> object:
        async with process.database.direct(tenant) as direct:
            return await direct.rows(DIRECT, name="x")

    async def in_one_read() -> object:
        return await process.database.read_one(tenant, DIRECT, name="x")

    return {"session": in_session, "direct": in_direct, "read_one": in_one_read}


async def request(work: Work, method: str = "POST", body: bytes = b"body") -> int:
    """The status of a request whose handler reads its body and does the work; errors are answered by it, or raised."""
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": body}])

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == body
        try:
            await work()
            status = 200
        except DBAPIError:  # as a handler of errors inside the application does
            status = 500
        await send({"type": "http.response.start", "status": status})

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message["status"])

    await FreshAttemptMiddleware(app)({"type": "http", "method": method}, receive, send)
    (status,) = sent
    assert isinstance(status, int)
    return status


@pytest.mark.parametrize("way", ["session", "direct", "read_one"])
async def test_additive_changes_leave_statements_as_they_are(process: Process, tenant: Tenant, way: str) -> None:
    work = ways(process, tenant)[way]
    await work()
    for change in ADDITIVE:
        await execute(process, tenant, change)
        await work()  # with no second attempt


@pytest.mark.parametrize("way", ["session", "direct", "read_one"])
async def test_a_request_after_a_change_of_type_is_tried_anew(process: Process, tenant: Tenant, way: str) -> None:
    other = await process.make()
    await execute(process, other, "CREATE TABLE things (name text)")
    works = [ways(process, each)[way] for each in (tenant, other)]
    for work in works:
        await work()
    await execute(process, tenant, RETYPE.format(10))
    with pytest.raises(Exception, match="cached statement plan") as failed:
        await works[0]()
    assert is_stale(failed.value)
    for work in (*works, *works):  # they differ from here on: what is prepared for one is stale for the other
        assert await request(work) == 200


async def test_what_was_committed_is_not_done_again(process: Process, tenant: Tenant) -> None:
    read = ways(process, tenant)["session"]
    done: list[int] = []

    async def write_then_read() -> None:
        async with process.database.tenant_session(tenant) as session:
            await session.execute(text("INSERT INTO things VALUES ('y')"))
        done.append(1)
        await read()

    await read()
    await execute(process, tenant, RETYPE.format(10))
    assert (await request(write_then_read), len(done)) == (500, 1)
    assert (await request(write_then_read), len(done)) == (200, 2)  # the failure told the whole process
    await execute(process, tenant, RETYPE.format(20))
    assert (await request(write_then_read, "GET"), len(done)) in {(200, 3), (200, 4)}


async def test_a_change_is_made_once(process: Process, tenant: Tenant) -> None:
    async def add() -> None:
        async with process.database.tenant_session(tenant) as session:
            assert len((await session.execute(ADD)).all()) == 1

    await add()
    await execute(process, tenant, RETYPE.format(10))
    assert await request(add) == 200
    async with process.database.tenant_session(tenant) as session:
        assert await session.scalar(text("SELECT count(*) FROM things")) == 2
