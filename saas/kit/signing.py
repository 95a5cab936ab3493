"""JSON Web Signatures in compact form (RFC 7515 section 7.1).

Every access token is signed here, so what does not change from one to the next is done once for each key: the header's
segment, and what joserfc checks before each ES256 signature.
"""

from binascii import b2a_base64
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, Key
from joserfc.jws import JWSRegistry
from pydantic_core import to_json

#: What tenants sign with, the default first. Both hash with SHA-256, on which `at_hash` depends.
ALGORITHMS: Final = ("ES256", "RS256")
_REGISTRY: Final = JWSRegistry(algorithms=list(ALGORITHMS))
#: Of a digest: to hash through OpenSSL's own signing takes five times as long as `hashlib`.
_ECDSA: Final = ECDSA(Prehashed(SHA256()))
#: Bytes of each of the two numbers in an ES256 signature (RFC 7518 section 3.4).
_P256: Final = 32
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


class Signer:
    """A private key that is ready to sign by one algorithm, under its name."""

    def __init__(self, kid: str, algorithm: str, key: Key) -> None:
        """Raises joserfc's errors where the key is of another algorithm, ValueError at a public key."""
        self.kid = kid
        self.algorithm = algorithm
        self.key = key
        self._signature = _method(algorithm, key)
        #: The first segment and the dot after it, by kind.
        self._headers: dict[str, bytes] = {}

    def sign(self, kind: str, claims: dict[str, Any]) -> str:
        """A JWT with the header parameter `typ` of that `kind`, of which there are few."""
        header = self._headers.get(kind)
        if header is None:
            named = {"typ": kind, "alg": self.algorithm, "kid": self.kid}
            header = self._headers[kind] = base64url(to_json(named)) + b"."
        signing_input = header + base64url(to_json(claims))
        return (signing_input + b"." + base64url(self._signature(signing_input))).decode()


def base64url(content: bytes) -> bytes:
    """Without padding (RFC 7515 section 2)."""
    return b2a_base64(content, newline=False).translate(_URL_SAFE).rstrip(b"=")


def _method(algorithm: str, key: Key) -> Callable[[bytes], bytes]:
    """What makes a signature of a signing input."""
    method = _REGISTRY.get_alg(algorithm)
    method.check_key(key)
    if not key.is_private:
        raise ValueError("A public key cannot sign")
    if isinstance(key, ECKey) and key.private_key is not None:
        return _es256(key.private_key)
    return lambda signing_input: method.sign(signing_input, key)


def _es256(key: EllipticCurvePrivateKey) -> Callable[[bytes], bytes]:
    def signature(signing_input: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(sha256(signing_input).digest(), _ECDSA))
        return r.to_bytes(_P256, "big") + s.to_bytes(_P256, "big")

    return signature
