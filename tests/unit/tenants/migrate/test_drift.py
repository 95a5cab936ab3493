"""A schema that is not what its revision says: named in words, and mended where nothing is lost by it."""

import pytest
from sqlalchemy import text

from tenants.migrate.drift import Catalog, Difference, Part, describe, differences
from tests.unit.tenants.conftest import Process


async def test_schemas_of_the_same_revision_are_described_alike(process: Process) -> None:
    found = []
    tenants = (await process.make(), await process.make())
    for tenant in tenants:
        async with process.database.tenant_session(tenant) as session:
            found.append(await describe(session))
    assert found[0] == found[1]
    assert differences(*found) == []
    parts = found[0].parts
    assert parts[Part("users", "column", "email")] == "text NOT NULL"
    assert parts[Part("users", "column", "password_hash")] == "text"
    assert parts[Part("users", "constraint", "users_email_key")] == "UNIQUE (email_key)"
    assert Part("users", "index", "users_email_key") not in parts
    assert not any(tenants[0].schema in definition for definition in parts.values())


@pytest.mark.parametrize(
    ("part", "found", "expected", "words", "repair"),
    [
        (
            Part("a", "column", "b"),
            None,
            "text",
            "column a.b is missing: text",
            'ALTER TABLE "a" ADD COLUMN "b" text',
        ),
        (Part("a", "column", "b"), None, "text NOT NULL", "column a.b is missing: text NOT NULL", None),
        (
            Part("a", "column", "b"),
            "text",
            "text NOT NULL",
            "column a.b: is text, should be text NOT NULL",
            'ALTER TABLE "a" ALTER COLUMN "b" SET NOT NULL',
        ),
        (Part("a", "column", "b"), "bigint", "text", "column a.b: is bigint, should be text", None),
        (Part("a", "column", "b"), "text", None, "column a.b should not exist: text", None),
        (
            Part("a", "constraint", "k"),
            None,
            "CHECK (b > 0)",
            "constraint a.k is missing: CHECK (b > 0)",
            'ALTER TABLE "a" ADD CONSTRAINT "k" CHECK (b > 0)',
        ),
        (
            Part("a", "constraint", "k"),
            "CHECK (b > 0) NOT VALID",
            "CHECK (b > 0)",
            "constraint a.k: is CHECK (b > 0) NOT VALID, should be CHECK (b > 0)",
            'ALTER TABLE "a" VALIDATE CONSTRAINT "k"',
        ),
        (Part("a", "table", ""), None, "r", "table a is missing", None),
        (Part("a", "table", ""), "r", None, "table a should not exist", None),
        (
            Part("a", "index", "i"),
            None,
            "CREATE INDEX i ON a USING btree (b)",
            "index a.i is missing: CREATE INDEX i ON a USING btree (b)",
            "CREATE INDEX i ON a USING btree (b)",
        ),
    ],
    ids=range(10),
)
def test_words_and_repairs(part: Part, found: str | None, expected: str | None, words: str, repair: str | None) -> None:
    difference = Difference(part, found, expected)
    assert (str(difference), difference.repair) == (words, repair)


def test_a_table_on_one_side_is_one_difference() -> None:
    table = {Part("a", "table", ""): "r", Part("a", "column", "b"): "text"}
    assert [str(each) for each in differences(Catalog({}), Catalog(table))] == ["table a is missing"]
    assert [str(each) for each in differences(Catalog(table), Catalog({}))] == ["table a should not exist"]


async def test_everything_that_can_differ_is_seen(process: Process) -> None:
    tenant = await process.make()
    async with process.database.tenant_session(tenant) as session:
        await session.execute(text("CREATE TABLE sample (id bigint PRIMARY KEY, name text, size varchar(10))"))
        await session.execute(text("CREATE INDEX sample_name ON sample (name)"))
        before = await describe(session)
        for change in (
            "ALTER TABLE sample ALTER COLUMN name SET NOT NULL",
            "ALTER TABLE sample ALTER COLUMN size TYPE varchar(20)",
            "ALTER TABLE sample ALTER COLUMN name SET DEFAULT 'x'",
            'ALTER TABLE sample ALTER COLUMN name TYPE text COLLATE "C"',
            "ALTER TABLE sample ADD CONSTRAINT sample_size CHECK (size <> '') NOT VALID",
            "ALTER TABLE sample SET UNLOGGED",
            "DROP INDEX sample_name",
            "ALTER TABLE sample ADD COLUMN twice text GENERATED ALWAYS AS (size || size) STORED",
            "CREATE VIEW names AS SELECT name FROM sample",
        ):
            await session.execute(text("SAVEPOINT unchanged"))
            await session.execute(text(change))
            assert len(differences(before, await describe(session))) == 1, change
            await session.execute(text("ROLLBACK TO SAVEPOINT unchanged"))
        await session.rollback()
