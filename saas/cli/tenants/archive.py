"""`saas tenants export` and `import`: a tenant in one file."""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saas.cli import output
from saas.cli.output import JsonOption
from saas.cli.runtime import run
from saas.cli.tenants.records import Slug, document

if TYPE_CHECKING:
    from saas.services import Services
    from tenants.transfer.exporting import Exported
    from tenants.transfer.importing import Imported

_VARIABLE = "SAAS_ARCHIVE_PASSPHRASE"
_PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help=f"Holds the passphrase in its first line; else {_VARIABLE}, or you are asked."
    ),
]


def export(
    slug: Slug,
    path: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write.", show_default="SLUG.tar.zst")
    ] = None,
    passphrase_file: _PassphraseFile = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a tenant to a file: one snapshot, while it is served.

    Signing keys and second factors are sealed under the passphrase: without it nobody can import them. Everything else
    in the file can be read: keep it as you keep a backup. Who is signed in, and codes and links under way, stay behind.
    """
    from saas.audit.tenancy import tell_exported  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.onboarding.portable import portable  # noqa: PLC0415
    from tenants.transfer.exporting import export_tenant  # noqa: PLC0415

    file = path or Path(f"{slug}.tar.zst")
    if file.exists() and not force:
        output.fail(f"{file} is there already: give another name with -o, or --force")
    passphrase = _passphrase(passphrase_file, new=True)

    async def work(services: "Services") -> "Exported":
        with output.progress_bar(f"{slug}: rows") as bar:
            done = await export_tenant(
                services.database,
                services.registry,
                slug,
                file,
                portable=portable(services.sealer),
                passphrase=passphrase,
                on_progress=bar.update,
            )
        await tell_exported(services.database, done.tenant, done.rows)
        return done

    done = run(work)
    if as_json:
        output.print_json({**asdict(done), "tenant": slug})
    else:
        output.note(f"{slug} is in {file}: {done.rows} rows of {done.tables} tables, {done.size} bytes.")


def import_archive(
    file: Annotated[Path, typer.Argument(help="What `saas tenants export` wrote.", exists=True, dir_okay=False)],
    *,
    slug: Annotated[str | None, typer.Option(help="Another slug, and so another host.", show_default="its own")] = None,
    database: Annotated[
        str | None, typer.Option(help="See `saas databases list`.", show_default="where there is room")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="See `saas plans list`.", show_default="its own")] = None,
    passphrase_file: _PassphraseFile = None,
    as_json: JsonOption = False,
) -> None:
    """Make a tenant of an archive. Everything is verified before anything is changed.

    With another slug, or on another platform, it is another issuer: apps have to be told. Stopped half-way, run it
    again: it begins anew.
    """
    from saas.audit.tenancy import tell_imported  # noqa: PLC0415 - slow to import: not for `--help`
    from saas.onboarding.portable import portable  # noqa: PLC0415
    from tenants.transfer.importing import Wanted, import_tenant  # noqa: PLC0415

    passphrase = _passphrase(passphrase_file, new=False)

    async def work(services: "Services") -> "Imported":
        with output.progress_bar(f"{file.name}: rows") as bar:
            return await import_tenant(
                services.database,
                services.registry,
                file,
                Wanted(slug, plan, database),
                portable=portable(services.sealer),
                passphrase=passphrase,
                told=tell_imported,
                on_progress=bar.update,
            )

    done = run(work)
    if as_json:
        output.print_json(
            {"tenant": document(done.tenant), "rows": done.rows, "migrated": done.migrated, "notes": done.notes}
        )
        return
    output.print_fields(document(done.tenant))
    for note in done.notes:
        output.note(note)


def _passphrase(file: Path | None, *, new: bool) -> str:
    """Never from the arguments, which everybody on the machine can read."""
    if file is not None:
        lines = file.read_text().splitlines()
        if not lines or not lines[0]:
            output.fail(f"{file} is empty: write the passphrase into its first line")
        return lines[0]
    if os.environ.get(_VARIABLE):
        return os.environ[_VARIABLE]
    if not sys.stdin.isatty():
        output.fail(f"There is no passphrase: give --passphrase-file, or set {_VARIABLE}")
    answer: str = typer.prompt("Passphrase of the archive", hide_input=True, confirmation_prompt=new, err=True)
    return answer
