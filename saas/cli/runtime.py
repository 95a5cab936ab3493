"""How a command gets at the services: settings, servers where none are named, errors as one line."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from saas.cli import output
from saas.dev import DevError, embedded, master_key
from saas.kit.crypto import UnsealError
from saas.settings import Settings
from saas.web.problems import Problem
from tenants.errors import TenancyError

if TYPE_CHECKING:
    from saas.main import Services

T = TypeVar("T")

#: A command reads better with its own words than with a driver's.
_MIGRATE = "The database is not migrated to this release: run `saas migrate`"


def run(work: "Callable[[Services], Awaitable[T]]") -> T:
    """Run `work` with the services, on the servers that are set or on those of the data folder.

    What people can put right ends the command with one line on standard error and exit code 1.
    """
    with errors_as_lines(), servers(load_settings()) as settings:
        return asyncio.run(_with_services(settings, work))


async def _with_services(settings: Settings, work: "Callable[[Services], Awaitable[T]]") -> T:
    from saas.main import open_services  # noqa: PLC0415 - the whole application: too slow for `--help`

    async with open_services(settings) as services:
        return await work(services)


def load_settings() -> Settings:
    """The settings of the environment; ends the command where one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        output.fail("; ".join(_wrong_setting(detail) for detail in error.errors(include_url=False)))
    except SettingsError as error:
        output.fail(f"{error}: see the README's table of settings")


@contextmanager
def servers(settings: Settings) -> Iterator[Settings]:
    """The settings with servers and a master key: the embedded ones of the data folder for what is not set.

    A master key is made only for a folder whose database is embedded too: a new one cannot read what an existing
    database holds.
    """
    database, redis = settings.database, settings.redis
    with ExitStack() as stack:
        if not database.url or not redis.url:
            own = stack.enter_context(embedded(settings.data, postgres=not database.url, valkey=not redis.url))
            database = database.model_copy(update={"url": database.url or own.database_url})
            redis = redis.model_copy(update={"url": redis.url or own.redis_url})
        key = settings.secrets.master_key.get_secret_value() or master_key(
            settings.data, create=not settings.database.url
        )
        secrets = settings.secrets.model_copy(update={"master_key": SecretStr(key)})
        yield settings.model_copy(update={"database": database, "redis": redis, "secrets": secrets})


@contextmanager
def errors_as_lines() -> Iterator[None]:
    """End the command with one line for each error that is not a defect of ours."""
    try:
        yield
    except TenancyError as error:
        output.fail(str(error) or error.title)
    except Problem as error:
        output.fail(error.detail or error.title)
    except (DevError, UnsealError) as error:
        output.fail(str(error))
    except DBAPIError as error:
        output.fail(_database_error(error))
    except PoolTimeout:
        output.fail("No database connection came free in time: raise SAAS_DATABASE_POOL_SIZE or try again")
    except RedisError as error:
        output.fail(f"Valkey does not answer ({error}): check SAAS_REDIS_URL and that the server runs")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        output.fail(f"The database does not answer ({error}): check SAAS_DATABASE_URL and that the server runs")
    except KeyboardInterrupt:
        output.fail("Interrupted: run the command again to finish", code=130)


def _database_error(error: DBAPIError) -> str:
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in {"3F000", "42P01", "42703"}:  # no such schema, table or column
        return _MIGRATE
    cause = error.orig.__cause__ if error.orig is not None and error.orig.__cause__ else error.orig
    return f"The database refused ({cause}): check SAAS_DATABASE_URL and the database's log"


def _wrong_setting(detail: Any) -> str:
    """What pydantic found, in the operator's words. Never the value, which may be secret."""
    variable = "SAAS_" + "_".join(str(part) for part in detail["loc"]).upper()
    if detail["type"] == "extra_forbidden":
        return f"{variable} is not a setting: see the README's table of settings"
    return f"{variable}: {detail['msg'].removeprefix('Value error, ')}"
