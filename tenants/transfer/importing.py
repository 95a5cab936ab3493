"""`saas tenants import`: a new tenant of an archive's data. Everything is checked before anything is changed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import delete, update
from sqlalchemy.ext.asyncio import AsyncSession

from tenants.branding import MAX_LOGO, set_logo
from tenants.changes import mark_changed
from tenants.database import Database
from tenants.errors import InvalidArchive, InvalidRevision, TransferRefused
from tenants.migrate.render import TENANT
from tenants.migrate.runner import make_schema
from tenants.migrate.verify import Verifier
from tenants.models import TenantRow, TransferRow
from tenants.registry import Registry, Tenant
from tenants.transfer.copying import begin, drop_schema, set_forms
from tenants.transfer.entry import admit
from tenants.transfer.loading import Load
from tenants.transfer.manifest import LOGO, Archive, Manifest, read_archive
from tenants.transfer.portable import Portable

Progress = Callable[[int, int], None]
_SERVED: Final = frozenset({"active", "suspended"})


@dataclass(frozen=True, slots=True)
class Imported:
    """`notes` say, for people, what is not as it was."""

    tenant: Tenant
    manifest: Manifest
    rows: int
    #: How many revisions the schema was moved on.
    migrated: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator says; None: as in the archive, and where there is room."""

    slug: str | None = None
    plan: str | None = None
    database: str | None = None


async def import_tenant(
    database: Database,
    registry: Registry,
    path: Path,
    wanted: Wanted,
    *,
    portable: Portable,
    passphrase: str,
    told: Callable[[AsyncSession, Tenant, Manifest], None] | None = None,
    on_progress: Progress | None = None,
) -> Imported:
    """Make a tenant of an archive, with an id of its own; it is served when all of it is there.

    Stopped half-way, run it again: it begins anew with the same names. `told` is called in the transaction in which
    the tenant arrives, with a session of its own. Raises InvalidArchive, WrongPassphrase, TransferRefused,
    TenantExists, HostTaken, InvalidName, PlanNotFound, DatabaseNotFound, NoDatabaseOpen, CopyDiffers and OSError.
    """
    archive = await asyncio.to_thread(read_archive, path, passphrase)
    manifest = archive.manifest
    if wanted.database is not None:
        database.engine_of(wanted.database)
    await _check_known(database, manifest, wanted)
    async with database.platform_session() as session:
        slug = wanted.slug or manifest.tenant.slug
        tenant, notes = await admit(
            session,
            registry,
            manifest.tenant,
            slug=slug,
            plan=wanted.plan,
            on=wanted.database,
            weights=database.weights,
        )
    same_issuer = tenant.issuer == manifest.tenant.issuer
    skipped = frozenset[str]() if same_issuer else portable.of_issuer
    async with database.registry_and_schema(tenant) as (rows, session):
        await begin(rows, f"the import of {slug}")
        await begin(session, tenant.schema)
        await drop_schema(session, tenant.schema)
        await make_schema(session, tenant.schema, target=manifest.revision)
        await set_forms(session)
        load = Load(session, archive, portable, tenant.id, skipped)
        count = await load.run(on_progress)
        await make_schema(session, tenant.schema)
        await _activate(rows, tenant, archive)
        if told is not None:
            told(session, tenant, manifest)
    async with database.platform_session() as session:
        arrived = await registry.get(session, slug)
    steps = len(TENANT.after(manifest.revision))
    return Imported(arrived, manifest, count, steps, tuple(notes))


async def _check_known(database: Database, manifest: Manifest, wanted: Wanted) -> None:
    """Raises InvalidArchive where this release has no place for what is in the archive, and TransferRefused."""
    if manifest.tenant.status not in _SERVED:
        raise InvalidArchive(f"The archive is of a tenant that is {manifest.tenant.status!r}")
    try:
        TENANT.after(manifest.revision)
    except InvalidRevision as error:
        raise InvalidArchive(
            f"The archive is at revision {manifest.revision}, which this release does not know: use a newer release"
        ) from error
    name = wanted.database or database.names[0]
    expected = await Verifier(database).expected(name, manifest.revision)
    columns = {(part.table, part.name) for part in expected.parts if part.kind == "column"}
    for table in manifest.tables:
        if table.name == TENANT.version_table.name or not set(table.hashed) <= set(table.columns):
            raise InvalidArchive(f"The archive's manifest is not one that this release understands ({table.name})")
        unknown = [column for column in table.columns if (table.name, column) not in columns]
        if unknown or not table.hashed:
            raise InvalidArchive(
                f"The archive holds {table.name}.{min(unknown, default='')}, which revision {manifest.revision} does "
                "not have here: it comes from another product, or from a schema that had drifted"
            )


async def _activate(session: AsyncSession, tenant: Tenant, archive: Archive) -> None:
    """The last step, at this transaction's commit. Raises TransferRefused where somebody else was faster."""
    status = archive.manifest.tenant.status
    activated = await session.scalar(
        update(TenantRow)
        .where(TenantRow.id == tenant.id, TenantRow.status == "provisioning")
        .values(status=status, revision=TENANT.head)
        .returning(TenantRow.id)
    )
    if activated is None:
        raise TransferRefused(f"{tenant.slug} was changed meanwhile: see `saas tenants show {tenant.slug}`")
    logo = await asyncio.to_thread(_logo_of, archive)
    await set_logo(session, tenant, logo)
    await session.execute(delete(TransferRow).where(TransferRow.tenant_id == tenant.id, TransferRow.kind == "import"))
    mark_changed(session, tenant.id)


def _logo_of(archive: Archive) -> bytes | None:
    """It is the first of the parts."""
    name, content = next(archive.parts(), ("", b""))
    return content if name == LOGO and len(content) <= MAX_LOGO else None
