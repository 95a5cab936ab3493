"""Structured logs on standard error: one JSON object a line, with what the request's context holds."""

import logging
import sys

import structlog

from saas.settings import LogSettings


class _Lines:
    """Where the lines of one structlog logger go.

    Straight to the stream: on the way through `logging` a line costs twice as much, and each request writes one.
    """

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")  # one call, so that lines of several threads or processes do not mix

    debug = info = warning = error = critical = msg


def configure_logging(settings: LogSettings) -> None:
    """Render structlog's and the standard library's records alike."""
    level: int = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
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
    handler = logging.StreamHandler(sys.stderr)
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
