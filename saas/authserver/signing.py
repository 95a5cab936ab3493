"""JSON Web Signatures in compact form (RFC 7515 section 7.1).

Every access token is signed here, so what does not change from one to the next is done once: the header's segment, and
what joserfc checks of a key before each ES256 signature.
"""

import base64
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, Key
from joserfc.jws import JWSRegistry
from pydantic_core import to_json

#: What a client may ask for, the default first. Both hash with SHA-256, on which `at_hash` depends.
ALGORITHMS: Final = ("ES256", "RS256")
_REGISTRY: Final = JWSRegistry(algorithms=list(ALGORITHMS))
#: Of a digest: to hash through OpenSSL's own signing takes five times as long as `hashlib`.
_ECDSA: Final = ECDSA(Prehashed(SHA256()))
#: Bytes of each of the two numbers in an ES256 signature (RFC 7518 section 3.4).
_P256: Final = 32


def sign(kind: str, claims: dict[str, Any], algorithm: str, kid: str, key: Key) -> str:
    """A JWT with the header parameter `typ` of that `kind`. Raises joserfc's errors where the key is of another one."""
    signing_input = _header(kind, algorithm, kid) + _segment(to_json(claims))
    if algorithm == "ES256" and isinstance(key, ECKey) and key.curve_name == "P-256":
        signature = _es256(signing_input, key)
    else:
        method = _REGISTRY.get_alg(algorithm)
        method.check_key(key)
        signature = method.sign(signing_input, key)
    return (signing_input + b"." + _segment(signature)).decode()


def _es256(content: bytes, key: ECKey) -> bytes:
    """Raises ValueError at a public key."""
    private = key.private_key
    if private is None:
        raise ValueError("A public key cannot sign")
    r, s = decode_dss_signature(private.sign(sha256(content).digest(), _ECDSA))
    return r.to_bytes(_P256, "big") + s.to_bytes(_P256, "big")


@lru_cache(maxsize=4096)
def _header(kind: str, algorithm: str, kid: str) -> bytes:
    """The first segment, and the dot after it."""
    return _segment(to_json({"typ": kind, "alg": algorithm, "kid": kid})) + b"."


def _segment(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
