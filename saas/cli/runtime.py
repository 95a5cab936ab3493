"""How a command gets at the services, and ends: signals, errors as one line."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from saas.cli import output
from saas.kit.garbage import started

if TYPE_CHECKING:
    from saas.services import Services
    from saas.settings import Settings

T = TypeVar("T")

_INTERRUPTED: Final = 130


def run(work: "Callable[[Services], Awaitable[T]]", *, migrate: bool = True) -> T:
    """Run `work` with the services, on the servers that are set or on those of the data folder.

    The platform's schema of an embedded database is migrated before, unless `migrate` is false: it has no other
    operator. What people can put right ends the command with one line on standard error and exit code 1.
    """
    with stopped_by_signals(), errors_as_lines():
        from saas.cli.environment import load_settings, servers  # noqa: PLC0415 - slow to import: not for `--help`

        named = load_settings()
        with servers(named) as settings:
            return asyncio.run(_work(settings, work, migrate=migrate and not named.database.url))


async def _work(settings: "Settings", work: "Callable[[Services], Awaitable[T]]", *, migrate: bool) -> T:
    from saas.audit.actor import acting_as, operator  # noqa: PLC0415 - as above
    from saas.services import open_services  # noqa: PLC0415 - as above
    from tenants.migrate.runner import migrate_platform  # noqa: PLC0415 - as above

    started()
    async with open_services(settings) as services:
        if migrate:
            await migrate_platform(services.database)
        with acting_as(operator()):
            return await work(services)


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
