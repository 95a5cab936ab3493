"""A tar file (POSIX ustar) below zstd, one small member after the other: written once, read from front to back.

Only what we write ourselves is read: regular files of a bounded size, with names of a few forms, in the right order.
Nothing is ever unpacked to a path.
"""

import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import zstandard

from tenants.errors import InvalidArchive, TransferRefused

#: Bytes of a member, so that neither side ever holds more.
MAX_MEMBER: Final = 8 << 20
#: Members of a file: with those that we write, some 400 GB.
MAX_MEMBERS: Final = 100_000
_BLOCK: Final = 512
_MAX_WINDOW: Final = 8 << 20
_NAME: Final = re.compile(r"[a-z_][a-z0-9_./]{0,98}")
_LEVEL: Final = 3


class Writer:
    """Writes beside the path, and takes its place when all of it is on the disk: half of it never has the name.

    Raises TransferRefused where the disk does not take it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        with _writing(path):
            self._file: BinaryIO = os.fdopen(os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._packed = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file, closefd=False)

    def add(self, name: str, content: bytes) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(content), 0o600
        with _writing(self._path):
            self._packed.write(member.tobuf(tarfile.USTAR_FORMAT))
            self._packed.write(content)
            self._packed.write(bytes(-len(content) % _BLOCK))

    def finish(self) -> int:
        """The size of the file."""
        with _writing(self._path):
            self._packed.write(bytes(2 * _BLOCK))
            self._packed.flush(zstandard.FLUSH_FRAME)
            self._file.flush()
            os.fsync(self._file.fileno())
            size = self._file.tell()
            self._file.close()
            self._part.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return size

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        """What was not finished goes."""
        if not self._file.closed:
            with suppress(OSError):  # of a disk that is full, which was said already
                self._file.close()
            self._part.unlink(missing_ok=True)


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of each. Raises InvalidArchive."""
    with path.open("rb") as file:
        packed = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(file)
        count = 0
        try:
            while (name_and_size := _header(_read(packed, _BLOCK))) is not None:
                name, size = name_and_size
                content = _read(packed, size)
                count += 1
                if count > MAX_MEMBERS:
                    raise InvalidArchive("The archive has more members than `saas tenants export` writes")
                _read(packed, -size % _BLOCK)
                yield name, content
        except zstandard.ZstdError as error:
            raise InvalidArchive("The archive is not whole, or no archive of a tenant: get an intact copy") from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TransferRefused(f"{path} cannot be written ({error.strerror}): give another place with -o") from error


def _header(block: bytes) -> tuple[str, int] | None:
    """None at the end."""
    if not any(block):
        return None
    try:
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise InvalidArchive("The archive is damaged: get an intact copy") from error
    if member.type != tarfile.REGTYPE or not _NAME.fullmatch(member.name) or not 0 <= member.size <= MAX_MEMBER:
        raise InvalidArchive(f"The archive holds {member.name[:100]!r}, which `saas tenants export` does not write")
    return member.name, member.size


def _read(packed: zstandard.ZstdDecompressionReader, size: int) -> bytes:
    pieces = []
    while size > 0:
        piece = packed.read(size)
        if not piece:
            raise InvalidArchive("The archive ends too early: get an intact copy")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
