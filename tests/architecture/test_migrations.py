"""What revisions may do, read from the SQL that they become: it has to run on Citus too, which is not at hand here."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import saas
import tenants
from tenants.base import PLATFORM_SCHEMA
from tenants.migrate.render import PLATFORM, TENANT, Scripts

_LITERAL: Final = re.compile(r"'(?:[^']|'')*'")
_PARENTHESES: Final = re.compile(r"\([^()]*\)")
_OPERATION: Final = re.compile(
    r"(CREATE TABLE|CREATE (UNIQUE )?INDEX|DROP INDEX|DROP TABLE|ALTER TABLE|ALTER INDEX|COMMENT ON"
    r"|INSERT INTO|UPDATE|DELETE FROM)\b"
)
_FORBIDDEN: Final = {
    r"TRIGGER|FUNCTION|PROCEDURE|DO \$": "no triggers and no functions",
    r"ENUM|CREATE TYPE|CREATE DOMAIN": "text and CHECK, since an ENUM is a type of each schema",
    r"INTEGER|INT|SMALLINT": "bigint, never int",
    r"(SMALL|BIG)?SERIAL|IDENTITY|SEQUENCE|NEXTVAL": "keys are made by the client",
    r"DEFERRABLE|INITIALLY": "no deferrable constraints",
    r"SET_CONFIG": "Citus does not forward it",
    r"SELECT \*": "columns are named",
    r"GENERATED": "values are computed in Python",
    r"CONCURRENTLY": "a revision is one transaction",
    r"GEN_RANDOM_UUID|UUIDV7|CLOCK_TIMESTAMP|RANDOM": "values are computed in Python",
    r"VIEW|RULE|EXTENSION|INHERITS|PARTITION": "plain tables",
}
#: An ADD COLUMN carries no constraint: Citus wants a statement for each.
_INLINE: Final = re.compile(r"ADD COLUMN .*\b(CONSTRAINT|REFERENCES|CHECK|UNIQUE|PRIMARY KEY)\b")
_DEFAULT: Final = re.compile(r"ALTER TABLE (\S+) ADD COLUMN (\S+) .*\bDEFAULT (.*)$", re.DOTALL)
_CONSTANT: Final = re.compile(r"('(?:[^']|'')*'(::[\w\[\]]+)?|-?\d+|true|false)( NOT NULL)?;?", re.IGNORECASE)


def problems(statements: tuple[str, ...], *, platform: bool) -> Iterator[str]:
    """What is wrong with the statements of one revision, in words."""
    for statement in statements:
        bare = _LITERAL.sub("''", statement).rstrip(";").strip().upper()
        if not _OPERATION.match(bare):
            yield f"not an operation of ours: {statement}"
        if ";" in bare or (bare.startswith("ALTER TABLE") and "," in _top_level(bare)):
            yield f"more than one operation: {statement}"
        if _INLINE.search(_top_level(bare)):
            yield f"first the column, then its constraint: {statement}"
        yield from (f"{why}: {statement}" for pattern, why in _FORBIDDEN.items() if _word(pattern).search(bare))
        if not platform and f"{PLATFORM_SCHEMA.upper()}." in bare:
            yield f"a tenant's table knows nothing of the platform: {statement}"
        if not platform and "NOW()" in bare:
            yield f"values are computed in Python: {statement}"
        yield from _defaults(statement, statements)


def _defaults(statement: str, statements: tuple[str, ...]) -> Iterator[str]:
    """A default fills the rows that are there, and goes in the same revision."""
    added = _DEFAULT.match(statement)
    if added is None:
        if " DEFAULT " in _LITERAL.sub("''", statement).upper().replace("DROP DEFAULT", ""):
            yield f"defaults are computed in Python: {statement}"
        return
    if not _CONSTANT.fullmatch(added[3]):
        yield f"a default for rows that exist is a constant: {statement}"
    if f"ALTER TABLE {added[1]} ALTER COLUMN {added[2]} DROP DEFAULT;" not in statements:
        yield f"a default stays behind: {statement}"


def _top_level(statement: str) -> str:
    """Without what stands in parentheses."""
    while statement != (statement := _PARENTHESES.sub("", statement)):
        pass
    return statement


def _word(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.])(?:{pattern})(?!\w)")


@pytest.mark.parametrize("scripts", [PLATFORM, TENANT], ids=["platform", "tenant"])
def test_revisions_keep_the_rules(scripts: Scripts) -> None:
    found = [
        f"{step.revision}: {problem}"
        for step in scripts.steps
        for problem in problems(step.statements, platform=scripts is PLATFORM)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("CREATE TYPE status AS ENUM ('a')", "text and CHECK"),
        ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "no triggers"),
        ("CREATE TRIGGER t BEFORE INSERT ON users EXECUTE FUNCTION f()", "no triggers"),
        ("ALTER TABLE users ADD COLUMN age INTEGER", "bigint"),
        ("CREATE TABLE t (id BIGSERIAL)", "keys are made by the client"),
        ("CREATE TABLE t (id BIGINT GENERATED ALWAYS AS IDENTITY)", "keys are made by the client"),
        ("ALTER TABLE users ADD CONSTRAINT k UNIQUE (name) DEFERRABLE", "no deferrable"),
        ("SELECT set_config('a', 'b', true)", "does not forward"),
        ("INSERT INTO users SELECT * FROM people", "columns are named"),
        ("ALTER TABLE users ADD COLUMN a TEXT, ADD COLUMN b TEXT", "more than one operation"),
        ("DELETE FROM users; DELETE FROM roles", "more than one operation"),
        ("ALTER TABLE users ADD COLUMN role TEXT REFERENCES roles (name)", "first the column"),
        ("ALTER TABLE users ADD COLUMN made TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL", "is a constant"),
        ("ALTER TABLE users ADD COLUMN n TEXT DEFAULT '' NOT NULL", "stays behind"),
        ("CREATE TABLE t (id UUID NOT NULL, n TEXT DEFAULT 'x')", "defaults are computed"),
        ("CREATE TABLE t (p TEXT REFERENCES platform.plans (name))", "knows nothing of the platform"),
        ("UPDATE users SET id = gen_random_uuid()", "computed in Python"),
        ("CREATE INDEX CONCURRENTLY i ON users (name)", "one transaction"),
    ],
)
def test_what_breaks_a_rule_is_found(statement: str, why: str) -> None:
    assert any(why in problem for problem in problems((f"{statement};",), platform=False))


def test_literals_and_constraints_are_no_offence() -> None:
    statements = (
        "ALTER TABLE users ADD COLUMN n TEXT DEFAULT 'an; INTEGER, set_config' NOT NULL;",
        "ALTER TABLE users ALTER COLUMN n DROP DEFAULT;",
        "ALTER TABLE users ADD CONSTRAINT users_n CHECK (n IN ('ENUM', 'b'));",
    )
    assert list(problems(statements, platform=False)) == []


def test_no_code_sets_what_outlives_its_transaction() -> None:
    """Through a pooler it would reach another tenant's transaction; Citus does not forward set_config either."""
    session_level = re.compile(
        r"set_config\(|\bSET (?!LOCAL\b)(SESSION )?search_path|SELECT \* FROM|SET SESSION ", re.IGNORECASE
    )
    found = [
        f"{path.name}: {line.strip()}"
        for package in (saas, tenants)
        for path in Path(str(package.__file__)).parent.rglob("*.py")
        for line in path.read_text().splitlines()
        if session_level.search(line)
    ]
    assert found == []
