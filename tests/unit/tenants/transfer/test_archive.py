"""What is believed of a file that says it is an archive: nothing, before all of it was read and checked."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import zstandard

from tenants.errors import InvalidArchive, TransferRefused, WrongPassphrase
from tenants.migrate.render import TENANT
from tenants.transfer import passphrase
from tenants.transfer.importing import Wanted, _check_known
from tenants.transfer.manifest import (
    FORMAT,
    HEADER,
    MANIFEST,
    SEAL,
    Manifest,
    PlanEntry,
    TableEntry,
    TenantEntry,
    digest_of,
    read_archive,
)
from tenants.transfer.passphrase import Box, check_passphrase
from tenants.transfer.tar import MAX_MEMBER, Writer
from tests.unit.tenants.conftest import Process

PASSPHRASE = "five early swallows"
ROWS = b"1\tAnn\n2\tBen\n"
Members = list[tuple[str, bytes]]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passphrase, "_COST", 2)


@pytest.fixture
def box() -> Box:
    return Box.new(PASSPHRASE)


def manifest_of(*, revision: str = TENANT.head, table: str = "users", members: Members = ()) -> Manifest:  # type: ignore[assignment]  # empty is empty
    return Manifest(
        revision=revision,
        exported_at=datetime(2026, 1, 1, tzinfo=UTC),
        tenant=TenantEntry(
            id=uuid4(),
            slug="acme",
            name="Acme",
            issuer="https://acme.example.com",
            status="active",
            suspended_reason=None,
            plan=PlanEntry(name="pro", version=1, pinned=False, limits={}),
            overrides={},
            accent=None,
            domains=(),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        ),
        tables=(TableEntry(name=table, columns=("id", "email"), hashed=("id", "email"), rows=2, digest="0/0"),),
        secrets=0,
        members=tuple((name, digest_of(content)) for name, content in members),
    )


def whole(box: Box, format_: object = FORMAT) -> Members:
    """The members of an archive that is as it should be."""
    first: Members = [
        (HEADER, json.dumps({"format": format_, "secrets": box.header()}).encode()),
        ("tables/users/000001.copy", ROWS),
    ]
    return sealed(box, first)


def sealed(box: Box, first: Members) -> Members:
    content = manifest_of(members=first).model_dump_json().encode()
    return [*first, (MANIFEST, content), (SEAL, box.seal(b"", hashlib.sha256(content).digest()).encode())]


def pack(path: Path, members: Members, kind: bytes = tarfile.REGTYPE) -> Path:
    """By the standard library, which writes whatever it is told to."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            member.size, member.type = len(content), kind
            tar.addfile(member, io.BytesIO(content))
    path.write_bytes(zstandard.compress(plain.getvalue()))
    return path


def test_what_is_whole_is_read(tmp_path: Path, box: Box) -> None:
    """Of other writers of tar too: it is an ordinary file."""
    path = pack(tmp_path / "acme.tar.zst", whole(box))
    archive = read_archive(path, PASSPHRASE)
    assert archive.manifest.tenant.slug == "acme"
    assert list(archive.parts()) == [("tables/users/000001.copy", ROWS)]
    pack(path, sealed(box, [whole(box)[0], ("tables/users/000001.copy", ROWS[::-1])]))
    with pytest.raises(InvalidArchive, match="changed while it was read"):
        list(archive.parts())


def test_half_of_it_has_no_name(tmp_path: Path) -> None:
    path = tmp_path / "acme.tar.zst"
    path.write_bytes(b"an older one")

    def write() -> None:
        with Writer(path) as writer:
            writer.add(HEADER, b"{}")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write()
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {path.name: b"an older one"}
    with pytest.raises(TransferRefused, match="No such file or directory"):
        Writer(tmp_path / "nowhere" / "acme.tar.zst")


def test_a_passphrase_is_told_from_another_and_has_to_be_long(tmp_path: Path, box: Box) -> None:
    path = pack(tmp_path / "acme.tar.zst", whole(box)[:1])  # before the rest is read
    with pytest.raises(WrongPassphrase, match="nothing was changed"):
        read_archive(path, "six late swallows")
    with pytest.raises(TransferRefused, match="12 characters"):
        check_passphrase("swallows")


ALTERED: dict[str, tuple[Callable[[Box], Members], str]] = {
    "nothing": (lambda _: [], "not an archive"),
    "no-header": (lambda box: whole(box)[1:], "not an archive"),
    "a-newer-format": (lambda box: whole(box, FORMAT + 1), "use a newer one"),
    "no-format": (lambda box: whole(box, None), "not an archive"),
    "no-end": (lambda box: whole(box)[:-1], "not whole"),
    "something-after-the-end": (lambda box: [*whole(box), ("logo", b"")], "not whole"),
    "a-path-upwards": (lambda box: sealed(box, [*whole(box)[:1], ("../../etc/passwd", b"")]), "does not write"),
    "a-path-within": (lambda box: sealed(box, [*whole(box)[:1], ("tables/../users/1.copy", b"")]), "does not write"),
    "an-absolute-path": (lambda box: sealed(box, [*whole(box)[:1], ("/etc/passwd", b"")]), "does not write"),
    "a-script": (lambda box: sealed(box, [*whole(box)[:1], ("schema.sql", b"DROP TABLE users")]), "does not write"),
    "rows-of-another": (lambda box: [*whole(box)[:1], (whole(box)[1][0], b"3\tEve\n"), *whole(box)[2:]], "checksums"),
    "rows-left-out": (lambda box: [*whole(box)[:1], *whole(box)[2:]], "checksums"),
    "a-member-too-large": (lambda box: [*whole(box)[:1], ("logo", bytes(MAX_MEMBER + 1))], "does not write"),
}


@pytest.mark.parametrize("how", ALTERED)
def test_what_was_altered_is_refused(tmp_path: Path, box: Box, how: str) -> None:
    make, says = ALTERED[how]
    with pytest.raises(InvalidArchive, match=says):
        read_archive(pack(tmp_path / "acme.tar.zst", make(box)), PASSPHRASE)


def test_rows_and_checksums_that_fit_each_other_are_refused_without_the_passphrase(tmp_path: Path, box: Box) -> None:
    header, _, _, (_, seal) = whole(box)
    *forged, _ = sealed(Box.new("mallory's own passphrase"), [header, ("tables/users/000001.copy", b"3\tEve\n")])
    with pytest.raises(InvalidArchive, match="altered"):
        read_archive(pack(tmp_path / "acme.tar.zst", [*forged, (SEAL, seal)]), PASSPHRASE)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE, b"L"], ids=repr)
def test_links_folders_and_long_names_are_refused(tmp_path: Path, box: Box, kind: bytes) -> None:
    with pytest.raises(InvalidArchive):
        read_archive(pack(tmp_path / "acme.tar.zst", whole(box), kind), PASSPHRASE)


def test_any_byte_that_is_missing_or_another_is_noticed(tmp_path: Path, box: Box) -> None:
    path = pack(tmp_path / "acme.tar.zst", whole(box))
    content = path.read_bytes()
    for broken in _broken(content):
        path.write_bytes(broken)
        try:
            read = read_archive(path, PASSPHRASE)
        except (InvalidArchive, WrongPassphrase):
            continue
        # Some bytes mean nothing: a member's owner, say.
        assert list(read.parts()) == [("tables/users/000001.copy", ROWS)]


def _broken(content: bytes) -> Iterator[bytes]:
    for place in range(0, len(content), 7):
        yield content[:place]
        yield content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"revision": "9999"}, "revision 9999, which this release does not know"),
        ({"table": "pg_authid"}, "pg_authid.email, which revision"),
        ({"table": "alembic_version"}, "not one that this release understands"),
    ],
    ids=["newer", "unknown-table", "versions"],
)
async def test_what_this_release_has_no_place_for_is_refused(
    process: Process, changed: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidArchive, match=says):
        await _check_known(process.database, manifest_of(**changed), Wanted())
