"""Logs as a process writes them: structlog's and the standard library's side by side."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import logging, structlog
from saas.kit.log import configure_logging
from saas.settings import Settings

log = structlog.get_logger("ours")  # before it is configured, as modules do
configure_logging(Settings().log)
structlog.contextvars.bind_contextvars(request_id="r1", tenant="acme")
log.debug("hidden")
log.info("request", status=200, path="/\\n")
log.warning("it took %s s", 3)
logging.getLogger("theirs").info("started %s", "up")
logging.getLogger("theirs").debug("hidden")
logging.getLogger("uvicorn.access").info("hidden")
logging.getLogger("authlib.oauth2").debug("hidden")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("failed")
"""


#: As a test does that runs a command in its own process, and catches what it prints.
LENT = """
import contextlib, io, logging, structlog
from saas.kit.log import configure_logging
from saas.settings import Settings

with contextlib.redirect_stderr(io.StringIO()) as lent:
    configure_logging(Settings().log)
    logging.getLogger("theirs").warning("there")
    structlog.get_logger("ours").warning("there")
    assert lent.getvalue().count("there") == 2
lent.close()
logging.getLogger("theirs").warning("here")
structlog.get_logger("ours").warning("here")
"""


def run(program: str = PROGRAM, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stderr


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in run().splitlines()]


def test_each_record_is_one_json_line_with_its_context(lines: list[dict[str, Any]]) -> None:
    assert [line["event"] for line in lines] == ["request", "it took 3 s", "started up", "failed"]
    for line in lines:
        assert (line["request_id"], line["tenant"]) == ("r1", "acme")
        assert line["timestamp"].endswith("Z")
    assert [line["level"] for line in lines] == ["info", "warning", "info", "error"]
    assert [line["logger"] for line in lines] == ["ours", "ours", "theirs", "ours"]
    assert (lines[0]["status"], lines[0]["path"]) == (200, "/\n")


def test_an_exception_is_told_with_its_trace(lines: list[dict[str, Any]]) -> None:
    assert lines[-1]["exception"].endswith("ZeroDivisionError: division by zero")


def test_the_level_is_for_both() -> None:
    assert [json.loads(line)["event"] for line in run(SAAS_LOG_LEVEL="warning").splitlines()] == [
        "it took 3 s",
        "failed",
    ]


def test_text_is_for_people() -> None:
    text = run(SAAS_LOG_FORMAT="text")
    assert "request" in text
    assert "started up" in text
    assert "hidden" not in text


def test_a_stream_that_was_taken_back_is_not_written_to() -> None:
    assert [json.loads(line)["event"] for line in run(LENT).splitlines()] == ["here", "here"]
