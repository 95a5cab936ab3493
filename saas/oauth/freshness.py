"""Since when a request has waited for its person to sign in anew: sealed into the address that they come back to.

Without it, `prompt=login` would ask again after every sign-in; were it not sealed, a person could skip it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Final

from saas.kit.crypto import Sealer, UnsealError
from tenants.registry import Tenant

#: The parameter of the authorization request; of ours, not of any standard.
PARAMETER: Final = "signed_in_since"
#: Who needs longer to sign in signs in once more.
_LIFETIME: Final = timedelta(hours=1)


def seal_since(sealer: Sealer, tenant: Tenant, challenge: str, now: datetime) -> str:
    """`challenge` is the PKCE challenge, which no two requests share."""
    plain = int(now.timestamp() * 1_000_000).to_bytes(8, "big")
    return urlsafe_b64encode(sealer.seal(plain, _context(tenant, challenge))).decode()


def open_since(sealer: Sealer, tenant: Tenant, challenge: str, value: str | None, now: datetime) -> datetime | None:
    """None where there is none, or none that is still good for this request."""
    try:
        plain = sealer.open(urlsafe_b64decode(value or ""), _context(tenant, challenge))
    except (UnsealError, ValueError):  # binascii.Error is one too
        return None
    since = datetime.fromtimestamp(int.from_bytes(plain, "big") / 1_000_000, UTC)
    return since if now - since <= _LIFETIME else None


def _context(tenant: Tenant, challenge: str) -> bytes:
    return b"sign in\0" + tenant.id.bytes + challenge.encode()
