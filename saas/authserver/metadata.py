"""Authorization server metadata (RFC 8414), derived from what is registered: never typed twice."""

from collections.abc import Iterable, Mapping
from typing import Any

from saas.authserver.grants import AUTH_METHODS, GRANT_TYPES, GRANTS


def metadata(issuer: str, endpoints: Mapping[str, str], scopes: Iterable[str]) -> dict[str, Any]:
    """The document of one issuer.

    `endpoints` has the paths that are mounted by their names in section 2: `token_endpoint`, `jwks_uri`, ...
    """
    response_types = sorted({kind for grant in GRANTS.values() for kind in getattr(grant, "RESPONSE_TYPES", ())})
    return {
        "issuer": issuer,
        **{name: issuer + path for name, path in endpoints.items()},
        "scopes_supported": list(scopes),
        "response_types_supported": response_types,  # required, so there even when empty
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
    }
