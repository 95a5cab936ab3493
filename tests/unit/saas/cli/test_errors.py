"""What an operator is told about errors that are not ours."""

import asyncpg
import pytest
from redis.exceptions import ConnectionError as RedisGone
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from saas.cli.errors import explain
from saas.dev import DevError
from saas.kit.crypto import UnsealError
from saas.web.problems import Conflict
from tenants.database import Database
from tenants.errors import TenantNotFound


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TenantNotFound("There is no tenant 'x'"), "There is no tenant 'x'"),
        (TenantNotFound(), "Unknown tenant"),
        (Conflict("Taken"), "Taken"),
        (Conflict(), "Conflict"),
        (DevError("Choose a folder"), "Choose a folder"),
        (UnsealError("Add the key"), "Add the key"),
        (PoolTimeout(), "SAAS_DATABASE_POOL_SIZE"),
        (RedisGone("refused"), "SAAS_REDIS_URL"),
        (ConnectionRefusedError(111, "refused"), "SAAS_DATABASE_URL"),
        (TimeoutError(), "TimeoutError"),
        (asyncpg.InvalidPasswordError("wrong password"), "wrong password"),
    ],
)
def test_names_the_cause_or_the_next_step(error: Exception, words: str) -> None:
    assert words in (explain(error) or "")


def test_leaves_our_defects_their_traceback() -> None:
    assert explain(KeyError("x")) is None


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT * FROM platform.tenants", "run `saas migrate`"),
        ("SELECT 1/0", "The database refused (division by zero)"),
    ],
)
async def test_reads_what_the_database_says(empty_database: Database, statement: str, words: str) -> None:
    with pytest.raises(DBAPIError) as raised:
        async with empty_database.platform_session() as session:
            await session.execute(text(statement))
    assert words in (explain(raised.value) or "")
