"""Files of the data folder that only their owner may read."""

import base64
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from saas.dev.errors import DevError

_KEY_BYTES = 32


def master_key(data: Path, *, create: bool = True) -> str:
    """The folder's master key in base64, made where it has none; with `create` false, "" in that case."""
    path = data / "master.key"
    try:
        if not path.exists():
            if not create:
                return ""
            key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
            write_private(path, key + "\n", replace=False)
        return path.read_text().strip()
    except OSError as error:
        raise DevError(f"Cannot use {path}: {error.strerror}. Make it yours, or choose another folder") from error


def write_private(path: Path, text: str, *, replace: bool = True) -> None:
    """Write all of the file or nothing, mode 0600. With `replace` false the file of whoever was first stays."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(name).replace(path)
        else:
            with suppress(FileExistsError):
                os.link(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
