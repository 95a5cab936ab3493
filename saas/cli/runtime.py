"""How a command gets at the services: settings, servers where none are named, errors as one line."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsError

from saas.cli import output
from saas.dev import embedded, master_key
from saas.dev.demo import Memory
from saas.settings import Settings

if TYPE_CHECKING:
    from saas.services import Services

T = TypeVar("T")

_INTERRUPTED: Final = 130
_TABLE: Final = "the README lists the settings"


def run(work: "Callable[[Services], Awaitable[T]]", *, migrate: bool = True) -> T:
    """Run `work` with the services, on the servers that are set or on those of the data folder.

    The platform's schema of an embedded database is migrated before, unless `migrate` is false: it has no other
    operator. What people can put right ends the command with one line on standard error and exit code 1.
    """
    with stopped_by_signals(), errors_as_lines():
        named = load_settings()
        with servers(named) as settings:
            return asyncio.run(_work(settings, work, migrate=migrate and not named.database.url))


async def _work(settings: Settings, work: "Callable[[Services], Awaitable[T]]", *, migrate: bool) -> T:
    from saas.audit.actor import acting_as, operator  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.services import open_services  # noqa: PLC0415 - the whole application: slow to import, not for `--help`
    from tenants.migrate.runner import migrate_platform  # noqa: PLC0415 - as above

    async with open_services(settings) as services:
        if migrate:
            await migrate_platform(services.database)
        with acting_as(operator()):
            return await work(services)


def load_settings() -> Settings:
    """The settings of the environment; ends the command where one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        output.fail("; ".join(_wrong_setting(detail) for detail in error.errors(include_url=False)))
    except SettingsError as error:
        output.fail(f"A variable holds more than one setting ({error}): {_TABLE}")


@contextmanager
def servers(settings: Settings, *, own_key: bool = False) -> Iterator[Settings]:
    """The settings with servers and a master key: the data folder's for what is not set.

    A master key is made for an embedded database, or where `own_key` asks for it: a new one cannot read what an
    existing database holds.
    """
    database, redis = settings.database, settings.redis
    own_database, own_redis = not database.url, not redis.url
    if not own_database and not own_redis:
        yield _with_key(settings, create=own_key)
        return
    with embedded(settings.data, postgres=own_database, valkey=own_redis) as own:
        changes: dict[str, Any] = {}
        if own_redis:
            changes["redis"] = redis.model_copy(update={"url": own.redis_url})
        if own_database:
            changes["database"] = database.model_copy(update={"url": own.database_url})
            url = Memory.load(settings.data).public_url  # tenants are where `saas dev` serves them
            if url and "url" not in settings.public.model_fields_set:
                changes["public"] = settings.public.model_copy(update={"url": url})
        complete = settings.model_copy(update=changes)
        yield _with_key(with_mailbox(complete) if own_redis else complete, create=own_key or own_database)


def with_mailbox(settings: Settings) -> Settings:
    """Mail goes where `saas dev` shows it, unless something says where it goes, or people come by https."""
    mail = settings.mail
    if {"url", "mailbox"} & mail.model_fields_set or settings.public.origin.scheme == "https":
        return settings
    return settings.model_copy(update={"mail": mail.model_copy(update={"mailbox": True})})


def _with_key(settings: Settings, *, create: bool) -> Settings:
    if settings.secrets.master_key.get_secret_value():
        return settings
    key = master_key(settings.data, create=create)
    if not key:
        output.fail("SAAS_SECRETS_MASTER_KEY is not set: give it the key that the servers of this database use")
    return settings.model_copy(update={"secrets": settings.secrets.model_copy(update={"master_key": SecretStr(key)})})


def stop_signals() -> list[signal.Signals]:
    """What ends a command: Ctrl-C, a service manager, and, except below nohup, the terminal that is closed."""
    below_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGINT, signal.SIGTERM, *([] if below_nohup else [signal.SIGHUP])]


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let every signal that ends a command unwind the stack, so that servers that we started are stopped."""
    before = {number: signal.getsignal(number) for number in stop_signals()}
    for number, handler in before.items():
        if handler in {signal.SIG_DFL, signal.SIG_IGN}:
            signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def errors_as_lines() -> Iterator[None]:
    """End the command with one line for each error that is not a defect of ours."""
    try:
        yield
    except KeyboardInterrupt:
        output.fail("Interrupted: run the command again", code=_INTERRUPTED)
    except Exception as error:
        from saas.cli.errors import explain  # noqa: PLC0415 - it knows every library: slow to import

        message = explain(error)
        if message is None:
            raise
        output.fail(message)


def _wrong_setting(detail: Any) -> str:
    """What pydantic found, in the operator's words. Never the value, which may be secret."""
    variable = "SAAS_" + "_".join(str(part) for part in detail["loc"]).upper()
    if detail["type"] == "extra_forbidden":
        return f"{variable} is not a setting: {_TABLE}"
    return f"{variable}: {detail['msg'].removeprefix('Value error, ')}"
