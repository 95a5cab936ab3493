"""What is logged while the database does not say what is revoked."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import OperationalError

from saas.ratelimit.revoked import Home, RevokedTokens


@dataclass(frozen=True)
class House:
    id: UUID = field(default_factory=uuid4)
    schema: str = "t"
    database: str = "eu"


class Ledger:
    """A database that fails with `fault`."""

    fault: Exception | None = None

    async def load(self, _: Home) -> Mapping[str, datetime]:
        if self.fault is not None:
            raise self.fault
        return {}


async def test_a_database_that_does_not_answer_is_told_of_in_one_line_once(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    revoked = RevokedTokens(ledger.load)

    async def logged() -> list[logging.LogRecord]:
        """By the questions of three tenants."""
        caplog.clear()
        for _ in range(3):
            assert not await revoked.any_of(House(), ["token"])
        return [record for record in caplog.records if record.name == "saas.ratelimit.revoked"]

    ledger.fault = OperationalError("SELECT id", {}, Exception("it is\ngone"))
    [record] = await logged()
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert "from eu" in record.getMessage()
    assert "it is" in record.getMessage()
    assert "\n" not in record.getMessage()
    assert await logged() == []

    ledger.fault = None
    assert await logged() == []
    ledger.fault = TimeoutError()
    [record] = await logged()
    assert record.getMessage().endswith(": TimeoutError")


async def test_a_defect_is_told_with_its_trace_each_time(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger()
    ledger.fault = KeyError("a defect")
    revoked = RevokedTokens(ledger.load)
    for _ in range(2):
        await revoked.any_of(House(), ["token"])
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR", "ERROR"]
