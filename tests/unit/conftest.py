"""What no unit test needs to pay for."""

from collections.abc import Iterator
from functools import cache

import pytest
import structlog
import typer.testing
from typer.main import get_command


@pytest.fixture(scope="session", autouse=True)
def one_command_line() -> Iterator[None]:
    """All commands with their options are put together once: a runner would do it again for each that it runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.testing, "_get_command", cache(get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """As servers print them: those that structlog draws by default, with colours and variables, take half a second."""
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure([*structlog.get_config()["processors"][:-1], console])
