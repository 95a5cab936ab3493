"""Schemas that drifted are found, at every revision, and mended where nothing is lost by it."""

import pytest
from sqlalchemy import text

from tenants.errors import InvalidRevision
from tenants.migrate.plan import Behind, behind, made
from tenants.migrate.render import TENANT, Scripts
from tenants.migrate.runner import migrate_tenant
from tenants.migrate.verify import Verifier
from tests.unit.tenants.conftest import Process
from tests.unit.tenants.migrate.conftest import Many


async def change(process: Process, tenant: Behind, *statements: str) -> None:
    async with process.database.tenant_session(tenant) as session:
        for statement in statements:
            await session.execute(text(statement))


async def test_what_drifted_is_named_and_mended_where_it_is_safe(process: Process) -> None:
    slug = (await process.make()).slug
    (tenant,) = await made(process.database, [slug])
    verifier = Verifier(process.database)
    assert (await verifier.verify(tenant)).remaining == []
    await change(
        process,
        tenant,
        "DROP INDEX IF EXISTS sessions_user_idx",
        "ALTER TABLE users DROP CONSTRAINT users_email_key",
        "ALTER TABLE users DROP COLUMN password_hash",
        "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE users ADD COLUMN surprise text",
        "ALTER TABLE projects ALTER COLUMN name TYPE varchar(9)",
        "DROP TABLE roles CASCADE",
    )
    found = await verifier.verify(tenant)
    assert found.repaired == []
    assert set(found.remaining) >= {
        "constraint users.users_email_key is missing: UNIQUE (email_key)",
        "column users.password_hash is missing: text",
        "column users.name: is text, should be text NOT NULL",
        "column users.surprise should not exist: text",
        "column projects.name: is character varying(9) NOT NULL, should be text NOT NULL",
        "table roles is missing",
    }
    mended = await verifier.verify(tenant, repair=True)
    assert len(mended.repaired) + len(mended.remaining) == len(found.remaining)
    assert {words.split(" ")[1].rstrip(":") for words in mended.remaining} >= {
        "users.surprise",
        "projects.name",
        "roles",
    }
    assert (await verifier.verify(tenant)).remaining == mended.remaining
    assert "constraint users.users_email_key is missing: UNIQUE (email_key)" in mended.repaired


async def test_rows_may_speak_against_a_repair(process: Process) -> None:
    slug = (await process.make()).slug
    (tenant,) = await made(process.database, [slug])
    await change(
        process,
        tenant,
        "ALTER TABLE alembic_version DROP CONSTRAINT alembic_version_pkc",
        f"INSERT INTO alembic_version VALUES ('{TENANT.head}')",
    )
    report = await Verifier(process.database).verify(tenant, repair=True)
    assert report.repaired == []
    assert "PRIMARY KEY" in report.remaining[0]
    assert "not repaired: could not create unique index" in report.remaining[0]


@pytest.mark.parametrize("revision", [step.revision for step in TENANT.steps])
async def test_every_revision_can_be_verified(process: Process, revision: str) -> None:
    catalog = await Verifier(process.database).expected("default", revision)
    assert len(catalog.parts) > 40


async def test_a_schema_between_revisions_is_compared_with_its_own(alone: Process, many: Many, small: Scripts) -> None:
    old, new = await many(2)
    await migrate_tenant(alone.database, new, small)
    verifier = Verifier(alone.database, small)
    for tenant in await made(alone.database):
        assert (await verifier.verify(tenant)).remaining == []
    await change(alone, old, "UPDATE alembic_version SET version_num = 'a2'")
    told = await verifier.verify(old, repair=True)
    assert told.repaired == ["registry: says revision a1, the schema is at a2"]
    assert await behind(alone.database, small) == []
    await change(alone, old, "UPDATE alembic_version SET version_num = 'zz'")
    with pytest.raises(InvalidRevision, match="deploy a newer"):
        await verifier.verify(old)
    await change(alone, old, f'DROP SCHEMA "{old.schema}" CASCADE')
    assert "is missing" in (await verifier.verify(old)).remaining[0]
