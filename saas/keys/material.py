"""New signing keys, and the way their private parts are kept."""

import json
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from joserfc.jwk import ECKey, Key, RSAKey, import_key

from saas.kit.crypto import Sealer
from saas.kit.signing import ALGORITHMS
from tenants.base import new_id

#: RFC 7518 section 3.3 wants at least these.
_RSA_BITS: Final = 2048


def generate(algorithm: str) -> ECKey | RSAKey:
    """For RS256 this takes a tenth of a second and more: call it on a thread."""
    if algorithm == "ES256":
        return ECKey.generate_key("P-256")
    if algorithm == "RS256":
        return RSAKey.generate_key(_RSA_BITS)
    raise ValueError(f"There are no keys for {algorithm}: choose one of {', '.join(ALGORITHMS)}")


def row_values(
    key: ECKey | RSAKey, *, algorithm: str, status: str, sealer: Sealer, tenant_id: UUID, now: datetime
) -> dict[str, Any]:
    """Of a new row for the key."""
    kid = key.thumbprint()
    return {
        "id": new_id(),
        "kid": kid,
        "algorithm": algorithm,
        "status": status,
        "public_jwk": json.dumps(key.as_dict(private=False, kid=kid, use="sig", alg=algorithm)),
        "private_key": sealer.seal(key.as_der(private=True), context_of(tenant_id, kid)),
        "activated_at": now if status == "active" else None,
        "retired_at": None,
        "created_at": now,
        "updated_at": now,
    }


def open_private(sealed: bytes, jwk: dict[str, Any], sealer: Sealer, tenant_id: UUID) -> Key:
    """Raises UnsealError."""
    der = sealer.open(sealed, context_of(tenant_id, jwk["kid"]))
    key: Key = import_key(der, jwk["kty"], {"kid": jwk["kid"], "use": "sig", "alg": jwk["alg"]})
    return key


def context_of(tenant_id: UUID, kid: str) -> bytes:
    """Where a sealed private key belongs: it opens for no other tenant and no other kid."""
    return b"signing key\0" + tenant_id.bytes + kid.encode()
