"""Valkeys for the limiter's tests: one that they share, and one that a test may break."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from saas.ratelimit.limiter import Limiter
from saas.settings import LimitsSettings
from tests.valkey import Valkey, run_valkey

#: Patient, since a test machine may be busy; a test of impatience sets its own.
PATIENT = LimitsSettings(timeout=5)


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    with run_valkey() as valkey:
        yield valkey.url


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    with run_valkey() as valkey:
        yield valkey


@pytest.fixture
async def limiter(valkey_url: str) -> AsyncIterator[Limiter]:
    opened = Limiter(valkey_url, PATIENT)
    await opened.open()
    yield opened
    await opened.close()


async def eventually(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time"
        await asyncio.sleep(0.005)
