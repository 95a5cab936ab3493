"""The grants that the token endpoint knows. What is registered here is what the metadata says."""

from typing import Any

from saas.authserver.grants.client_credentials import ClientCredentialsGrant

#: By `grant_type`.
GRANTS: dict[str, Any] = {grant.GRANT_TYPE: grant for grant in (ClientCredentialsGrant,)}
GRANT_TYPES: tuple[str, ...] = tuple(GRANTS)
AUTH_METHODS: tuple[str, ...] = tuple(
    dict.fromkeys(method for grant in GRANTS.values() for method in grant.TOKEN_ENDPOINT_AUTH_METHODS)
)
