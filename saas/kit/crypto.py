"""Secrets at rest: sealed where they must be read again, hashed where they need only be recognised."""

import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_VERSION: Final = b"\x01"
_KEY_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEADER: Final = len(_VERSION) + _KEY_ID_BYTES + _NONCE_BYTES


class UnsealError(Exception):
    """The sealed bytes were changed, belong to another context, or their master key is not at hand."""


class Sealer:
    """AES-256-GCM under a master key. Sealed bytes name their key, so that the master key can be rotated.

    `context` ties the bytes to their place (a tenant and a row, say): they do not open at another.
    """

    def __init__(self, master_key: bytes, previous_keys: Sequence[bytes] = ()) -> None:
        self._current = _key_id(master_key)
        self._keys = {_key_id(key): AESGCM(key) for key in (master_key, *previous_keys)}

    def seal(self, plaintext: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        ciphertext = self._keys[self._current].encrypt(nonce, plaintext, context)
        return _VERSION + self._current + nonce + ciphertext

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Raises UnsealError."""
        key = self._keys.get(sealed[1 : 1 + _KEY_ID_BYTES])
        if sealed[:1] != _VERSION or key is None:
            raise UnsealError("Sealed under a master key that is not set: add it to SAAS_SECRETS_PREVIOUS_KEYS")
        try:
            return key.decrypt(sealed[1 + _KEY_ID_BYTES : _HEADER], sealed[_HEADER:], context)
        except InvalidTag as error:
            raise UnsealError("The sealed bytes do not belong here, or were changed") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether the bytes are sealed under the present master key rather than a previous one."""
        return sealed[1 : 1 + _KEY_ID_BYTES] == self._current


def digest(secret: str) -> bytes:
    """SHA-256, for generated secrets of 256 bits alone: what a person chose needs a slow hash."""
    return hashlib.sha256(secret.encode()).digest()


def same(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"saas master key\0" + key).digest()[:_KEY_ID_BYTES]
