"""Errors that are not defects of ours, in the operator's words and with the next step."""

import asyncpg
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from saas.dev import DevError
from saas.kit.crypto import UnsealError
from saas.web.problems import Problem
from tenants.errors import TenancyError

_UNMIGRATED = frozenset({"3F000", "42P01", "42703"})  # SQLSTATE: no such schema, table, column


def explain(error: BaseException) -> str | None:
    """One sentence, or None for what only a traceback explains."""
    message: str | None = None
    match error:
        case TenancyError():
            message = str(error) or error.title
        case Problem():
            message = error.detail or error.title
        case DevError() | UnsealError():
            message = str(error)
        case DBAPIError():
            message = _database_error(error)
        case PoolTimeout():
            message = "No database connection came free in time: raise SAAS_DATABASE_POOL_SIZE, or try again"
        case RedisError():
            message = f"Valkey does not answer ({error}): check SAAS_REDIS_URL, and that the server runs"
        case OSError() | asyncpg.PostgresError() | asyncpg.InterfaceError():
            cause = str(error) or type(error).__name__
            message = f"The database does not answer ({cause}): check SAAS_DATABASE_URL, and that the server runs"
    return message


def _database_error(error: DBAPIError) -> str:
    if getattr(error.orig, "sqlstate", None) in _UNMIGRATED:
        return "The database is not migrated to this release: run `saas migrate`"
    cause = error.orig and (error.orig.__cause__ or error.orig)
    return f"The database refused ({cause}): check SAAS_DATABASE_URL, and the database's log"
