"""`saas tenants`: each command is a function of a module here; this is the order in which `--help` lists them."""

import typer

from saas.cli.overrides import override
from saas.cli.tenants import archive, change, create, look, move, remove, rename, run, shell, stats, usage

app = typer.Typer(name="tenants", help="Create, find, change, move and delete tenants.", no_args_is_help=True)

app.command()(create.create)
app.command("list")(look.list_tenants)
app.command()(look.show)
app.command()(stats.stats)
app.command()(usage.usage)
app.command()(change.suspend)
app.command()(change.resume)
app.command()(change.set_plan)
app.command()(override)
app.command()(change.brand)
app.command()(rename.rename)
app.command()(remove.delete)
app.command()(remove.restore)
app.command("export")(archive.export)
app.command("import")(archive.import_archive)
app.command()(move.move)
app.command("run")(run.run_command)
app.command()(shell.shell)
