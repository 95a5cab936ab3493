"""Structured logs on standard error: one JSON object a line, with what the request's context holds."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Final, TextIO

import structlog

from saas.settings import LogSettings

#: The ASGI scope of the request that is being answered. What a line says of it is read when a line is written: most
#: requests write one, at their end.
current_scope: Final[ContextVar[Mapping[str, Any] | None]] = ContextVar("current_scope", default=None)


class _Lines:
    """Where the lines of one structlog logger go.

    Straight to the stream: on the way through `logging` a line costs twice as much, and each request writes one.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")  # one call, so that lines of several threads or processes do not mix

    debug = info = warning = error = critical = msg


class _StandardError(logging.StreamHandler[TextIO]):
    """As of when a line is written: who runs a command in their own process lends it a stream, and takes it back."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def add_request(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: the request's id, and its tenant and client as far as they are known."""
    scope = current_scope.get()
    if scope is not None:
        tenant, caller = scope.get("tenant"), scope.get("caller")
        event.setdefault("request_id", scope.get("request_id"))
        event.setdefault("tenant", tenant.slug if tenant else None)
        event.setdefault("client", caller.client_id if caller else None)
    return event


def configure_logging(settings: LogSettings) -> None:
    """Render structlog's and the standard library's records alike."""
    level: int = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        add_request,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    render: list[structlog.typing.Processor]
    if settings.format == "json":
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        # Not the default, which prints the local variables of every frame: passwords, codes and tokens among them.
        render = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("authlib").setLevel(logging.INFO)  # at the level debug it writes tokens down
    logging.getLogger("alembic").setLevel(logging.WARNING)  # that it has loaded its plugins is no news
    logging.getLogger("uvicorn.access").disabled = True  # the request log of saas.web.middleware says more
