"""`saas dev`: the whole product on this machine, with two demo tenants."""

import asyncio
import shlex
import socket
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Final

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import errors_as_lines, stopped_by_signals

if TYPE_CHECKING:
    from saas.cli.demo import DemoTenant
    from saas.settings import Settings

app = typer.Typer()

#: Where a server that listens on every address is reached from this machine.
_HERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not listened on
#: Seconds that open requests get when it is stopped: somebody waits.
_GRACE: Final = 3
_SESSION: Final = Template(r"""echo '== What the authorization server of acme offers'
curl -sS -w '\n' $acme/.well-known/oauth-authorization-server
echo '== A token for the machine client of acme'
TOKEN=$$(curl -sS -u $credentials -d grant_type=client_credentials $acme/oauth2/token \
  | sed -E 's/.*"access_token": ?"([^"]+)".*/\1/')
echo "$$TOKEN"
echo '== The API: create a project, list the projects'
curl -sS -w '\n' -H "Authorization: Bearer $$TOKEN" -H 'Content-Type: application/json' \
  -d '{"name": "Apollo"}' $acme/api/v1/projects
curl -sS -w '\n' -H "Authorization: Bearer $$TOKEN" $acme/api/v1/projects
echo '== The same token at globex: refused'
curl -sS -w '\nHTTP %{http_code}\n' -H "Authorization: Bearer $$TOKEN" $globex/api/v1/projects
""")


@app.command()
def dev(
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of the embedded servers.", readable=False, show_default="SAAS_DATA, else .saas"),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="SAAS_SERVER_HOST, else 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, help="Port; 0: a free one.", show_default="SAAS_SERVER_PORT, else 8000"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run everything on this machine: PostgreSQL, Valkey, and the server with two demo tenants.

    With SAAS_DATABASE_URL or SAAS_REDIS_URL it uses those servers instead. Ctrl-C stops all that it started; the data
    stays, and the next start prints the same credentials. With --json, one line is printed once it is ready.
    """
    with stopped_by_signals(), errors_as_lines():
        # slow to import: not for `--help`
        from saas.cli.environment import load_settings, servers  # noqa: PLC0415
        from saas.cli.listening import listen  # noqa: PLC0415

        settings = load_settings()
        host = host or settings.server.host
        with listen(host, settings.server.port if port is None else port) as listener:
            settings = _for_development(settings, data, host, listener.getsockname()[1])
            with servers(settings, own_key=True) as complete:
                _serve(complete, listener, _url(host, listener.getsockname()[1]), as_json=as_json)


def _for_development(settings: "Settings", data: Path | None, host: str, port: int) -> "Settings":
    """Tenants at `<slug>.localhost`, which browsers and curl look for on this machine; logs for people; a mailbox."""
    from saas.cli.environment import with_mailbox  # noqa: PLC0415 - as above

    public, log = settings.public, settings.log
    if "url" not in public.model_fields_set:
        public = public.model_copy(update={"url": f"http://localhost:{port}"})
    if not public.api_hosts:
        public = public.model_copy(update={"api_hosts": tuple(dict.fromkeys(("localhost", "127.0.0.1", host)))})
    if "format" not in log.model_fields_set:
        log = log.model_copy(update={"format": "text"})
    return with_mailbox(settings.model_copy(update={"data": data or settings.data, "public": public, "log": log}))


def _serve(settings: "Settings", listener: socket.socket, base_url: str, *, as_json: bool) -> None:
    # as above, and the whole application
    import uvicorn  # noqa: PLC0415

    from saas.cli.demo import prepare  # noqa: PLC0415
    from saas.cli.listening import OPTIONS, Server  # noqa: PLC0415
    from saas.dev import alone  # noqa: PLC0415
    from saas.kit.log import configure_logging  # noqa: PLC0415
    from saas.main import create_app  # noqa: PLC0415

    with alone(settings.data):
        demo = asyncio.run(prepare(settings))
    configure_logging(settings.log)
    config = uvicorn.Config(
        create_app(settings, worker=True), log_level="warning", timeout_graceful_shutdown=_GRACE, **OPTIONS
    )

    def announce() -> None:
        if as_json:
            tenants = [each.document() for each in demo]
            output.print_json({"base_url": base_url, "tenants": tenants, "session": _session(demo)})
        else:
            _print(base_url, demo)

    Server(config, announce).run(sockets=[listener])


def _session(demo: "Sequence[DemoTenant]") -> str:
    """Commands to paste into a shell."""
    acme, globex = demo
    credentials = f"{acme.credentials.client_id}:{acme.credentials.client_secret}"
    return _SESSION.substitute(
        acme=acme.tenant.issuer, globex=globex.tenant.issuer, credentials=shlex.quote(credentials)
    )


def _print(base_url: str, demo: "Sequence[DemoTenant]") -> None:
    """A line for each value: a table with a column for each would not fit a terminal, and secrets are copied whole."""
    rows: list[tuple[str, str, str]] = []
    for each in demo:
        known = each.credentials
        rows += [
            (each.tenant.slug, "address", each.tenant.issuer),
            ("", "plan", each.tenant.plan.name),
            ("", "client id", known.client_id),
            ("", "secret", known.client_secret),
            ("", "owner", known.owner_email),
            ("", "password", known.owner_password),
        ]
    typer.echo()
    output.print_table(("tenant", "", ""), rows)
    typer.echo(
        f"\nServing on {base_url}; try the API at {demo[0].tenant.issuer}/docs. Paste this into another shell:\n"
    )
    typer.echo(_session(demo))
    typer.echo("Ctrl-C stops it; the data stays.")


def _url(host: str, port: int) -> str:
    here = _HERE.get(host, host)
    return f"http://[{here}]:{port}" if ":" in here else f"http://{here}:{port}"
