"""Authorization server metadata (RFC 8414), derived from what is registered: never typed twice."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from saas.authserver import assertion
from saas.authserver.client_keys import ALGORITHMS
from saas.authserver.endpoints import ENDPOINTS
from saas.authserver.grants import AUTH_METHODS, GRANT_TYPES, GRANTS

_METHODS: Final = "_auth_methods_supported"
_METHOD_ALGORITHMS: Final = "_auth_signing_alg_values_supported"


def metadata(
    issuer: str, endpoints: Mapping[str, str], scopes: Iterable[str], *more: Mapping[str, Any]
) -> dict[str, Any]:
    """The document of one issuer.

    `endpoints` has the paths that are mounted by their names in section 2: `token_endpoint`, `jwks_uri`, ...
    `more` is what others than grants and endpoints contribute; of lists of the same name, the members are joined.
    """
    document: dict[str, Any] = {
        "issuer": issuer,
        **{name: issuer + path for name, path in endpoints.items()},
        "scopes_supported": list(scopes),
        "response_types_supported": [],  # required, so there even when empty
        "grant_types_supported": list(GRANT_TYPES),
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
    }
    registered = [getattr(each, "METADATA", {}) for each in (*GRANTS.values(), *ENDPOINTS)]
    for contribution in (*registered, *more):
        for name, value in contribution.items():
            if isinstance(value, (list, tuple)):
                document[name] = list(dict.fromkeys([*document.get(name, ()), *value]))
            else:
                document[name] = value
    for name in [name for name in document if name.endswith(_METHODS)]:
        if assertion.METHOD in document[name]:
            document[name.removesuffix(_METHODS) + _METHOD_ALGORITHMS] = list(ALGORITHMS)
    return document
