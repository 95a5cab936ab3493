"""A multi-tenant SaaS backend with its own OAuth2 / OpenID Connect authorization server."""
