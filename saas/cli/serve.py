"""`saas serve`: the server as it runs in production."""

import os
import socket
from typing import TYPE_CHECKING, Annotated, Final

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run, stopped_by_signals
from saas.kit.garbage import starting

if TYPE_CHECKING:
    from saas.services import Services
    from saas.settings import Settings

app = typer.Typer()

_APPLICATION: Final = "saas.main:create_app_from_env"
#: Longer than proxies keep an idle connection, so that they never send a request into a closed one.
_KEEP_ALIVE_SECONDS: Final = 75
#: A worker that does not answer its parent for so long is replaced; a busy machine takes its time to start one.
_HUNG_SECONDS: Final = 30


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="SAAS_SERVER_HOST, else 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port.", show_default="SAAS_SERVER_PORT, else 8000")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes.", show_default="SAAS_SERVER_WORKERS, else 1")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Serve in production: settings from the environment, logs in JSON on standard error.

    It refuses to start where a server, a secret or the public address is not set, or the database is not migrated.
    SIGTERM ends it: open requests get SAAS_SERVER_SHUTDOWN_GRACE seconds. With --json, one line is printed once it
    listens.
    """
    # slow to import: not for `--help`
    from saas.cli.environment import load_settings  # noqa: PLC0415
    from saas.cli.listening import listen  # noqa: PLC0415
    from saas.cli.production import check_production  # noqa: PLC0415
    from saas.kit.log import configure_logging  # noqa: PLC0415

    settings = load_settings()
    check_production(settings)
    run(_check_migrations)
    configure_logging(settings.log)
    count = workers or settings.server.workers
    with stopped_by_signals(), listen(host or settings.server.host, _port(settings, port)) as listener:
        _serve(settings, listener, count, as_json=as_json)


def _port(settings: "Settings", chosen: int | None) -> int:
    return settings.server.port if chosen is None else chosen


def _serve(settings: "Settings", listener: socket.socket, workers: int, *, as_json: bool) -> None:
    # as above
    import structlog  # noqa: PLC0415
    import uvicorn  # noqa: PLC0415
    from uvicorn.supervisors import Multiprocess  # noqa: PLC0415

    from saas.cli.listening import OPTIONS, Server  # noqa: PLC0415

    log = structlog.get_logger(__name__)
    config = uvicorn.Config(
        _APPLICATION,
        factory=True,
        workers=workers,
        timeout_worker_healthcheck=_HUNG_SECONDS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.server.shutdown_grace,
        **OPTIONS,
    )
    address, port = listener.getsockname()[:2]

    def announce() -> None:
        log.info("Serving", address=address, port=port, workers=workers)
        if as_json:
            output.print_json({"address": address, "port": port, "workers": workers, "pid": os.getpid()})

    if workers == 1:
        starting()  # again, for the application is imported now
        Server(config, announce).run(sockets=[listener])
    else:
        announce()
        Multiprocess(config, sockets=[listener]).run()


async def _check_migrations(services: "Services") -> None:
    from tenants.migrate.plan import readiness  # noqa: PLC0415 - slow to import, not for `--help`

    reason = await readiness(services.database)
    if reason is not None:
        output.fail(f"Cannot serve: {reason}")
