"""JSON Web Signatures in compact form (RFC 7515 section 7.1), made through joserfc's algorithms.

A key's header is the same in every token, so its segment is made once; what joserfc would check of it each time, its
author knows.
"""

import base64
from functools import lru_cache
from typing import Any, Final

from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from pydantic_core import to_json

#: What a client may ask for, the default first. Both hash with SHA-256, on which `at_hash` depends.
ALGORITHMS: Final = ("ES256", "RS256")
_REGISTRY: Final = JWSRegistry(algorithms=list(ALGORITHMS))


def sign(kind: str, claims: dict[str, Any], algorithm: str, kid: str, key: Key) -> str:
    """A JWT with the header parameter `typ` of that `kind`. Raises joserfc's errors where the key is of another one."""
    method = _REGISTRY.get_alg(algorithm)
    method.check_key(key)
    signing_input = _header(kind, algorithm, kid) + _segment(to_json(claims))
    return (signing_input + b"." + _segment(method.sign(signing_input, key))).decode()


@lru_cache(maxsize=4096)
def _header(kind: str, algorithm: str, kid: str) -> bytes:
    """The first segment, and the dot after it."""
    return _segment(to_json({"typ": kind, "alg": algorithm, "kid": kid})) + b"."


def _segment(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
