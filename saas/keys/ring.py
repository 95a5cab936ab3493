"""The signing keys of one tenant, in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from joserfc.jwk import Key

from saas.kit.signing import Signer


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key that the tenant publishes. `signer` is there for the active key alone."""

    kid: str
    public_jwk: Mapping[str, Any]
    public: Key
    signer: Signer | None


class KeyRing:
    """What a tenant signs and verifies with at this moment: its next, active and retiring keys."""

    def __init__(self, tenant_id: UUID, keys: Iterable[RingKey]) -> None:
        """Where two active keys share an algorithm, the first of `keys` signs."""
        self.tenant_id = tenant_id
        self._jwks: dict[str, list[dict[str, Any]]] = {"keys": []}
        self._public: dict[str, Key] = {}
        self._signers: dict[str, Signer] = {}
        for key in keys:
            self._jwks["keys"].append(dict(key.public_jwk))
            self._public[key.kid] = key.public
            if key.signer is not None:
                self._signers.setdefault(key.signer.algorithm, key.signer)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The JWS algorithms that the tenant can sign with now."""
        return tuple(self._signers)

    def signer(self, algorithm: str = "ES256") -> Signer:
        """The active key. Raises LookupError where there is none."""
        try:
            return self._signers[algorithm]
        except KeyError:
            raise LookupError(
                f"The tenant {self.tenant_id} has no active {algorithm} key: "
                "run `saas tenants create` for it again, which finishes what was begun"
            ) from None

    def verification_key(self, kid: str) -> Key | None:
        """The public key of that kid; None where this tenant does not publish it."""
        return self._public.get(kid)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The JWK Set to publish (RFC 7517 section 5): public parts only."""
        return self._jwks
