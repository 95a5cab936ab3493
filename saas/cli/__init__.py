"""The `saas` command. Each noun is a module with an `app`: a group where it has a name, else a single command."""

import typer

from saas.cli import (
    audit,
    clients,
    databases,
    dev,
    domains,
    keys,
    migrate,
    plans,
    policies,
    roles,
    serve,
    tenants,
    users,
    worker,
)
from saas.kit.garbage import starting

app = typer.Typer(
    help="Run and operate the SaaS backend. Settings are variables that begin with SAAS_; the README lists them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for noun in (
    dev,
    serve,
    worker,
    migrate,
    tenants,
    domains,
    databases,
    plans,
    policies,
    clients,
    keys,
    users,
    roles,
    audit,
):
    app.add_typer(noun.app)


def main() -> None:
    starting()  # until a command has what it needs: see `runtime`
    app()
