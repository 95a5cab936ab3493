"""What an archive says of itself, and the check that it is what it says."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from tenants.errors import InvalidArchive
from tenants.transfer.passphrase import Box
from tenants.transfer.tar import members

#: What this code writes, and the newest that it reads.
FORMAT: Final = 1
HEADER: Final = "format.json"
MANIFEST: Final = "manifest.json"
SEAL: Final = "seal"
LOGO: Final = "logo"

_Name = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]{0,62}$")]
_PART: Final = re.compile(r"(?:tables/[a-z_][a-z0-9_]{0,62}/[0-9]{6}\.copy|secrets/[0-9]{6}\.jsonl|logo)")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class TableEntry(_Part):
    """`digest` is of the columns `hashed` (see `contents.fingerprint`)."""

    name: _Name
    columns: tuple[_Name, ...]
    hashed: tuple[_Name, ...]
    rows: int
    digest: str


class PlanEntry(_Part):
    name: str
    version: int
    #: Whether the tenant stays at the version.
    pinned: bool
    #: The fields of `tenants.plans.Plan`, without what overrides them.
    limits: dict[str, Any]


class TenantEntry(_Part):
    """The tenant's entry in the registry."""

    id: UUID
    slug: str
    name: str
    issuer: str
    status: str
    suspended_reason: str | None
    plan: PlanEntry
    overrides: dict[str, tuple[str, str | None]]
    accent: str | None
    domains: tuple[str, ...]
    created_at: datetime


class Manifest(_Part):
    """`tables` are in the order in which they can be filled; `members` are names and SHA-256 in the archive's order."""

    revision: str
    exported_at: datetime
    tenant: TenantEntry
    tables: tuple[TableEntry, ...]
    secrets: int
    members: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was read to its end, and found whole and unaltered."""

    path: Path
    manifest: Manifest
    box: Box

    def parts(self) -> Iterator[tuple[str, bytes]]:
        """All but what frames them. Raises InvalidArchive where the file is another than before."""
        expected = dict(self.manifest.members)
        for name, content in members(self.path):
            if name == MANIFEST:
                break
            if expected.pop(name, None) != digest_of(content):
                raise InvalidArchive("The archive was changed while it was read: get an intact copy")
            if name != HEADER:
                yield name, content
        if expected:
            raise InvalidArchive("The archive was changed while it was read: get an intact copy")


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_archive(path: Path, passphrase: str) -> Archive:
    """Read all of it, and believe it only then. Slow: do it on a thread.

    Raises InvalidArchive, WrongPassphrase, which comes before all of it is read, and OSError.
    """
    reading = members(path)
    name, content = next(reading, ("", b""))
    if name != HEADER:
        raise InvalidArchive("This is not an archive of `saas tenants export`")
    header = _document(content)
    check_format(header.get("format"))
    box = Box.load(passphrase, header.get("secrets", {}))
    found = [(HEADER, digest_of(content))]
    manifest = b""
    for name, content in reading:
        if name == MANIFEST:
            manifest = content
            break
        if not _PART.fullmatch(name):
            raise InvalidArchive(f"The archive holds {name!r}, which `saas tenants export` does not write")
        found.append((name, digest_of(content)))
    end = next(reading, ("", b""))
    if end[0] != SEAL or next(reading, None) is not None:
        raise InvalidArchive("The archive is not whole: get an intact copy")
    box.open(end[1].decode("ascii", "replace"), hashlib.sha256(manifest).digest())
    parsed = _parse(manifest)
    if list(parsed.members) != found:
        wrong = next((name for name, digest in found if (name, digest) not in parsed.members), "what is missing")
        raise InvalidArchive(f"The archive is damaged, its checksums differ ({wrong}): get an intact copy")
    return Archive(path, parsed, box)


def check_format(found: object) -> None:
    """Raises InvalidArchive."""
    if not isinstance(found, int) or found < 1:
        raise InvalidArchive("This is not an archive of `saas tenants export`")
    if found > FORMAT:
        raise InvalidArchive(f"The archive has the format {found}, this release reads up to {FORMAT}: use a newer one")


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise InvalidArchive("This is not an archive of `saas tenants export`") from error
    return document if isinstance(document, dict) else {}


def _parse(content: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise InvalidArchive("The archive's manifest is not one that this release understands") from error
