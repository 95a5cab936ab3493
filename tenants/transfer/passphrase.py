"""What only the passphrase opens: scrypt (RFC 7914) makes a key of it, AES-256-GCM seals under that."""

import json
import os
from base64 import b64decode, b64encode
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from tenants.errors import InvalidArchive, TransferRefused, WrongPassphrase

#: 128 MB and a third of a second for each guess.
_COST: Final = 2**17
_BLOCKS: Final = 8
_NONCE: Final = 12
_SALT: Final = 16
_CHECK: Final = b"passphrase"
#: Characters of a passphrase.
_SHORTEST: Final = 12


def check_passphrase(passphrase: str) -> str:
    """Return it; raise TransferRefused where it is too short to withstand guessing."""
    if len(passphrase) < _SHORTEST:
        raise TransferRefused(f"The passphrase is too short: use {_SHORTEST} characters or more, such as five words")
    return passphrase


class Box:
    """Seals and opens under one passphrase. To make one takes a while: do it on a thread."""

    def __init__(self, passphrase: str, salt: bytes) -> None:
        self._salt = salt
        self._key = AESGCM(Scrypt(salt=salt, length=32, n=_COST, r=_BLOCKS, p=1).derive(passphrase.encode()))

    @classmethod
    def new(cls, passphrase: str) -> "Box":
        return cls(passphrase, os.urandom(_SALT))

    @classmethod
    def load(cls, passphrase: str, header: dict[str, Any]) -> "Box":
        """Of what `header` returned. Raises WrongPassphrase and InvalidArchive."""
        try:
            salt, check = b64decode(header["salt"]), header["check"]
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidArchive("The archive does not say how its secrets are sealed") from error
        box = cls(passphrase, salt)
        try:
            box.open(check, _CHECK)
        except InvalidArchive:
            raise WrongPassphrase("The passphrase is not that of this archive: nothing was changed") from None
        return box

    def header(self) -> dict[str, Any]:
        """What has to be known to open it, and by which a wrong passphrase is told. No secret."""
        return {"salt": b64encode(self._salt).decode(), "check": self.seal(b"", _CHECK)}

    def seal(self, plaintext: bytes, context: bytes) -> str:
        nonce = os.urandom(_NONCE)
        return b64encode(nonce + self._key.encrypt(nonce, plaintext, context)).decode()

    def open(self, sealed: str, context: bytes) -> bytes:
        """Raises InvalidArchive."""
        try:
            raw = b64decode(sealed)
            return self._key.decrypt(raw[:_NONCE], raw[_NONCE:], context)
        except (InvalidTag, ValueError, TypeError) as error:
            raise InvalidArchive("What is sealed in the archive was altered: get an intact copy of it") from error


def context_of(record: dict[str, Any]) -> bytes:
    """Where a secret belongs: to this column of this row."""
    return json.dumps([record[name] for name in ("table", "column", "key", "by")]).encode()
