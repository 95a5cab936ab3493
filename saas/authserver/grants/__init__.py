"""The grants that the token endpoint knows. What is registered here is what the metadata says.

A grant class may have `METADATA`, members of the metadata document (RFC 8414) that it brings, and `NEEDS_STORAGE`: the
engine is then entered inside a transaction.
"""

from typing import Any

from saas.authserver.grants.authorization_code import AuthorizationCodeGrant
from saas.authserver.grants.client_credentials import ClientCredentialsGrant
from saas.authserver.grants.device_code import DeviceCodeGrant
from saas.authserver.grants.refresh_token import RefreshTokenGrant

#: By `grant_type`.
GRANTS: dict[str, Any] = {
    grant.GRANT_TYPE: grant
    for grant in (AuthorizationCodeGrant, RefreshTokenGrant, ClientCredentialsGrant, DeviceCodeGrant)
}
GRANT_TYPES: tuple[str, ...] = tuple(GRANTS)
#: Of the token endpoint.
AUTH_METHODS: tuple[str, ...] = tuple(
    dict.fromkeys(method for grant in GRANTS.values() for method in grant.TOKEN_ENDPOINT_AUTH_METHODS)
)


def needs_storage(grant_type: str | None) -> bool:
    """Whether the engine must be entered inside a transaction for this grant."""
    return getattr(GRANTS.get(grant_type or ""), "NEEDS_STORAGE", False)
