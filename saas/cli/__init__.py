"""The `saas` command. Each noun is a module with an `app`: a group where it has a name, else a single command."""

from importlib import import_module
from importlib.util import find_spec

import typer

app = typer.Typer(
    help="Run and operate the SaaS backend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for noun in ("dev", "serve", "migrate", "tenants", "plans", "clients", "users"):
    if find_spec(f"saas.cli.{noun}") is not None:
        app.add_typer(import_module(f"saas.cli.{noun}").app)


def main() -> None:
    app()
