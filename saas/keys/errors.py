"""What can go wrong with signing keys."""

from saas.web.problems import NotFound


class SigningKeyNotFound(NotFound):
    code = "unknown-signing-key"
    title = "Unknown signing key"
