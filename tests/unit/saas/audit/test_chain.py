"""The chain holds: what is recorded is written with what it tells of, and what is tampered with is found."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from saas.audit.actor import Actor, acting_as
from saas.audit.errors import EventNotFound
from saas.audit.log import Event, EventFilter
from saas.audit.retention import prune
from saas.audit.service import Target, record
from saas.audit.verify import Anchor, verify
from saas.services import Services
from saas.web.problems import InvalidRequest
from tenants.base import new_id, utc_now
from tenants.registry import Tenant

#: What somebody with a database client may do to event 3 of five, or to the head; and what `verify` says of it.
TAMPERING = {
    "an action": (
        "UPDATE audit_events SET action = 'role.deleted' WHERE position = 3",
        "Event 3 (role.deleted) is not",
    ),
    "an actor's name": (
        "UPDATE audit_events SET actor_name = 'Eve' WHERE position = 3",
        "Event 3 (role.created) is not",
    ),
    "a name for none": (
        "UPDATE audit_events SET target_name = NULL WHERE position = 3",
        "Event 3 (role.created) is not",
    ),
    "a time": (
        "UPDATE audit_events SET occurred_at = occurred_at - interval '1 us'",
        "Event 1 (tenant.created) is not",
    ),
    "details": ("UPDATE audit_events SET details = '{}' WHERE position = 3", "Event 3 (role.created) is not"),
    "an event, and its hash": (
        "UPDATE audit_events SET action = 'role.deleted', hash = sha256('x') WHERE position = 3",
        "Event 3 (role.deleted) is not",
    ),
    "one that is gone": ("DELETE FROM audit_events WHERE position = 3", "Event 3 missing"),
    "several that are gone": ("DELETE FROM audit_events WHERE position IN (2, 3)", "Events 2 to 3 missing"),
    "the first ones that are gone": ("DELETE FROM audit_events WHERE position < 3", "Events 1 to 2 missing"),
    "the end that is gone": ("DELETE FROM audit_events WHERE position > 3", "the end is missing"),
    "all of them": ("DELETE FROM audit_events", "the end is missing"),
    "two that changed places": (
        "UPDATE audit_events SET position = CASE position WHEN 2 THEN 30 ELSE 20 END WHERE position IN (2, 3);"
        "UPDATE audit_events SET position = position / 10 WHERE position > 5",
        "Event 2 (role.created) is not",
    ),
    "one more": (
        "INSERT INTO audit_events (id, position, occurred_at, action, actor_kind, details, hash)"
        " SELECT gen_random_uuid(), 6, now(), 'role.created', 'system', '{}', sha256('x')",
        "Event 6 (role.created) is not",
    ),
    "a head that is gone": ("DELETE FROM audit_head", "head row is gone"),
    "a head that says less": ("UPDATE audit_head SET position = 4", "not as its head"),
    "a head with another hash": ("UPDATE audit_head SET hash = sha256('x')", "not as its head"),
    "a pruning that was none": ("UPDATE audit_head SET pruned_position = 2", "2 events are there that were pruned"),
}


async def write(services: Services, tenant: Tenant, *names: str) -> None:
    """An event in a transaction of its own for each."""
    for name in names:
        async with services.database.tenant_session(tenant) as session:
            record(session, "role.created", target=Target("role", name, name), details={"scopes": {"b", "a"}})


async def execute(services: Services, tenant: Tenant, statements: str) -> None:
    async with services.database.tenant_session(tenant) as session:
        for statement in statements.split(";"):
            await session.execute(text(statement))


async def events(services: Services, tenant: Tenant, wanted: EventFilter | None = None) -> list[Event]:
    async with services.database.tenant_session(tenant) as session:
        return (await services.audit.list(session, wanted or EventFilter())).items


async def test_what_is_tampered_with_is_found(services: Services, tenant: Tenant) -> None:
    await write(services, tenant, *"abcd")
    sound = await verify(services.database, tenant)
    assert (sound.events, sound.broken) == (5, None)
    for what, (statements, said) in TAMPERING.items():
        await execute(services, tenant, "CREATE TABLE kept AS TABLE audit_events; CREATE TABLE top AS TABLE audit_head")
        await execute(services, tenant, statements)
        verdict = await verify(services.database, tenant)
        assert said in (verdict.broken or "nothing is wrong"), what
        await execute(
            services,
            tenant,
            "DELETE FROM audit_events; INSERT INTO audit_events TABLE kept; DROP TABLE kept;"
            "DELETE FROM audit_head; INSERT INTO audit_head TABLE top; DROP TABLE top",
        )
        assert await verify(services.database, tenant) == sound, what


async def test_an_anchor_shows_a_chain_that_was_written_anew(services: Services, tenant: Tenant) -> None:
    await write(services, tenant, "a", "b")
    kept = (await verify(services.database, tenant)).head
    assert kept is not None
    assert Anchor.parse(f" {kept} ") == kept
    await write(services, tenant, "c")
    assert (await verify(services.database, tenant, kept)).broken is None
    # The whole log is replaced by another one, which is as long and without a flaw.
    genesis = "position = 0, hash = decode(repeat('00', 32), 'hex')"
    await execute(services, tenant, f"DELETE FROM audit_events; UPDATE audit_head SET {genesis}")
    await write(services, tenant, "x", "b", "c")
    assert (await verify(services.database, tenant)).broken is None
    assert "not the anchor's: the log was written anew" in (
        (await verify(services.database, tenant, kept)).broken or ""
    )
    beyond = Anchor(1000, kept.hash)
    assert "before the anchor's event 1000" in ((await verify(services.database, tenant, beyond)).broken or "")
    with pytest.raises(InvalidRequest, match="a position, a colon"):
        Anchor.parse("12:xyz")


async def test_a_transaction_that_fails_leaves_no_event_and_no_gap(services: Services, tenant: Tenant) -> None:
    with pytest.raises(ZeroDivisionError):
        await fail_with_a_session(services, tenant)
    with pytest.raises(ZeroDivisionError):
        await fail_directly(services, tenant)
    async with services.database.direct(tenant) as direct:
        record(direct, "role.deleted", target=Target("role", "x"))
        record(direct, "role.created", target=Target("role", "x"))
    assert [event.position for event in await events(services, tenant)] == [3, 2, 1]
    assert (await verify(services.database, tenant)).broken is None


async def fail_with_a_session(services: Services, tenant: Tenant) -> None:
    async with services.database.tenant_session(tenant) as session:
        record(session, "role.created")
        raise ZeroDivisionError


async def fail_directly(services: Services, tenant: Tenant) -> None:
    async with services.database.direct(tenant) as direct:
        record(direct, "role.created")
        raise ZeroDivisionError


async def test_those_who_write_at_once_write_one_chain(services: Services, tenant: Tenant) -> None:
    await asyncio.gather(*(write(services, tenant, *(f"{who}{turn}" for turn in range(4))) for who in "abcdef"))
    verdict = await verify(services.database, tenant)
    assert (verdict.events, verdict.broken) == (25, None)


async def test_without_a_head_nothing_changes_unrecorded(services: Services, tenant: Tenant) -> None:
    await execute(services, tenant, "DELETE FROM audit_head")
    with pytest.raises(RuntimeError, match="saas audit verify"):
        await write(services, tenant, "a")


async def test_what_is_pruned_leaves_a_chain_that_can_be_verified(services: Services, tenant: Tenant) -> None:
    await write(services, tenant, *"abcd")
    now = utc_now()
    assert await pruned(services, tenant, days=1) == 0
    # Nobody can wait for days here. The chain is made of times, so the events are written anew as if they were old.
    kept = (await verify(services.database, tenant)).head
    async with services.database.tenant_session(tenant) as session:
        assert await prune(session, now + timedelta(seconds=1), limit=3) == 3
    async with services.database.tenant_session(tenant) as session:
        assert await prune(session, now, limit=1000) == 2
    verdict = await verify(services.database, tenant, kept)
    assert (verdict.events, verdict.pruned, verdict.broken) == (2, 5, None)
    told = [(event.action, event.details["events"]) for event in await events(services, tenant)]
    assert told == [("audit.pruned", 2), ("audit.pruned", 3)]
    early = Anchor(2, bytes(32))
    assert "was pruned" in ((await verify(services.database, tenant, early)).broken or "")


async def pruned(services: Services, tenant: Tenant, days: int) -> int:
    async with services.database.tenant_session(tenant) as session:
        return await prune(session, utc_now() - timedelta(days=days))


async def test_one_finds_what_one_looks_for(services: Services, tenant: Tenant) -> None:
    before = utc_now()
    with acting_as(Actor("operator", "root", "root")):
        await write(services, tenant, "billing", "support")
    async with services.database.tenant_session(tenant) as session:
        user = await services.users.create(session, tenant, email="ann@example.com", name="Ann")
    newest, *_ = everything = await events(services, tenant)
    assert newest.summary == "Added a user"
    assert (newest.target_id, newest.target_name) == (str(user.id), "ann@example.com")
    assert newest.details == {"roles": ["member"]}
    for wanted, found in (
        (EventFilter(action="role"), ["support", "billing"]),
        (EventFilter(action="role.created", target="billing"), ["billing"]),
        (EventFilter(action="role.create"), []),
        (EventFilter(actor="root"), ["support", "billing"]),
        (EventFilter(target="ann@example.com"), ["ann@example.com"]),
        (EventFilter(target=str(user.id)), ["ann@example.com"]),
        (EventFilter(query="MEMB"), ["ann@example.com"]),
        (EventFilter(query="100%"), []),
        (EventFilter(since=before, action="tenant"), []),
        (EventFilter(until=before), [tenant.slug]),
    ):
        assert [event.target_name for event in await events(services, tenant, wanted)] == found, wanted
    async with services.database.tenant_session(tenant) as session:
        page = await services.audit.list(session, EventFilter(), limit=3)
        rest = await services.audit.list(session, EventFilter(), limit=3, cursor=page.next_cursor)
        assert [*page.items, *rest.items] == everything
        assert rest.next_cursor is None
        assert await services.audit.find(session, newest.id) == newest
        with pytest.raises(EventNotFound):
            await services.audit.find(session, new_id())
        with pytest.raises(InvalidRequest):
            await services.audit.list(session, EventFilter(), cursor="x")


async def test_an_export_is_all_that_was_there_and_an_event(services: Services, tenant: Tenant) -> None:
    await write(services, tenant, *"abcde")
    batches = [batch async for batch in services.audit.export(services.database, tenant, EventFilter(), batch=3)]
    assert [[event.position for event in batch] for batch in batches] == [[1, 2, 3], [4, 5, 6]]
    assert (await events(services, tenant))[0].action == "audit.exported"
    roles = EventFilter(action="role.created", target="b")
    assert [len(batch) async for batch in services.audit.export(services.database, tenant, roles)] == [1]
    assert (await events(services, tenant))[0].details == {"action": "role.created", "target": "b"}
