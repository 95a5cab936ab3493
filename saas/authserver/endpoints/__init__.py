"""Endpoints beside the token endpoint at which clients authenticate. What is registered here is in the metadata."""

from saas.authserver.endpoints.introspection import IntrospectionEndpoint
from saas.authserver.endpoints.revocation import RevocationEndpoint

#: Each has `METADATA`: members of the metadata document (RFC 8414) that it brings.
ENDPOINTS = (RevocationEndpoint, IntrospectionEndpoint)
