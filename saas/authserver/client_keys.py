"""The public keys with which a client proves who it is: a JWK set (RFC 7517) that its administrator registers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

#: What a client may sign with (RFC 7518 section 3.1, RFC 8037 section 3.1). None of them works with a shared secret.
ALGORITHMS: Final = ("ES256", "RS256", "PS256", "EdDSA")
#: By key type and curve. A key is good for those of its own kind, whatever an assertion asks for.
_ALGORITHMS_OF: Final[Mapping[tuple[str, str | None], frozenset[str]]] = {
    ("EC", "P-256"): frozenset({"ES256"}),
    ("RSA", None): frozenset({"RS256", "PS256"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
}
_PUBLIC: Final = ("kty", "crv", "x", "y", "n", "e", "kid", "alg", "use")
_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_MAX_SET: Final = 32_768
_MAX_KEYS: Final = 10
_MAX_KID: Final = 255
#: Bits. Longer ones only make us work.
_RSA_BITS: Final = (2048, 4096)


class UnusableKeys(Exception):
    """What is wrong with a JWK set, in words for its administrator."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A public key, and the JWS algorithms that it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    key: Key = field(repr=False)


def checked_set(text: str) -> str:
    """The JWK set with nothing in it but what we use, to be kept. Raises UnusableKeys."""
    keys = _members(text)
    for jwk in keys:
        _read(jwk)
    kids = [jwk.get("kid") for jwk in keys]
    if len(keys) > 1 and (None in kids or len(set(kids)) < len(kids)):
        raise UnusableKeys("Where there are several keys, each needs a kid of its own")
    kept = [{name: jwk[name] for name in _PUBLIC if name in jwk} for jwk in keys]
    return json.dumps({"keys": kept}, separators=(",", ":"))


def read_set(text: str | None) -> tuple[ClientKey, ...]:
    """The keys of what `checked_set` gave; none of None."""
    return () if text is None else tuple(map(_read, _members(text)))


def _members(text: str) -> list[dict[str, Any]]:
    if len(text) > _MAX_SET:
        raise UnusableKeys(f"A JWK set has at most {_MAX_SET} characters")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnusableKeys("A JWK set is a JSON document") from error
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not all(isinstance(jwk, dict) for jwk in keys):
        raise UnusableKeys('A JWK set is an object with a list of keys: {"keys": [...]}')
    if not 0 < len(keys) <= _MAX_KEYS:
        raise UnusableKeys(f"A JWK set has 1 to {_MAX_KEYS} keys")
    return keys


def _read(jwk: dict[str, Any]) -> ClientKey:
    """Raises UnusableKeys."""
    if not _PRIVATE.isdisjoint(jwk):
        raise UnusableKeys("A key has private parts, or is a shared secret: register the public keys alone")
    if any(name in jwk and not isinstance(jwk[name], str) for name in _PUBLIC):
        raise UnusableKeys("A key has a member that is no text")
    kind = (jwk.get("kty", ""), jwk.get("crv"))
    algorithms = _ALGORITHMS_OF.get(kind)
    if algorithms is None:
        raise UnusableKeys("A key is of another kind than EC P-256, RSA and OKP Ed25519")
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
        raise UnusableKeys("A key is not for signatures")
    if "alg" in jwk and jwk["alg"] not in algorithms:
        raise UnusableKeys(f"A key's alg is none of: {', '.join(sorted(algorithms))}")
    kid = jwk.get("kid")
    if kid is not None and not 0 < len(kid) <= _MAX_KID:
        raise UnusableKeys(f"A kid has 1 to {_MAX_KID} characters")
    return ClientKey(kid, frozenset({jwk["alg"]}) if "alg" in jwk else algorithms, _key(jwk))


def _key(jwk: dict[str, Any]) -> Key:
    try:
        key: Key = import_key({name: jwk[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in jwk})
        public: Any = key.public_key
    except (JoseError, ValueError, TypeError) as error:
        raise UnusableKeys("A key cannot be read") from error
    if jwk["kty"] == "RSA" and not _RSA_BITS[0] <= public.key_size <= _RSA_BITS[1]:
        raise UnusableKeys(f"An RSA key has {_RSA_BITS[0]} to {_RSA_BITS[1]} bits")
    return key
