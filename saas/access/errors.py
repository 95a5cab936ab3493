"""Why the API refuses a token, after RFC 6750 section 3."""

from collections.abc import Sequence

from saas.web.problems import Problem


class MissingToken(Problem):
    """No token at all: the challenge has no error code (RFC 6750 section 3.1)."""

    status = 401
    code = "missing-token"
    title = "Access token needed"

    def __init__(self) -> None:
        super().__init__(
            "Send an access token of this tenant: Authorization: Bearer <token>",
            headers={"WWW-Authenticate": "Bearer"},
        )


class InvalidToken(Problem):
    """`reason` reaches the client, so it is one of the fixed sentences of this package, never part of the token."""

    status = 401
    code = "invalid-token"
    title = "Invalid access token"

    def __init__(self, reason: str) -> None:
        challenge = f'Bearer error="invalid_token", error_description="{reason}"'
        super().__init__(reason, headers={"WWW-Authenticate": challenge})


class RepeatedToken(Problem):
    status = 400
    code = "invalid-request"
    title = "Invalid request"

    def __init__(self) -> None:
        super().__init__(
            "Send one Authorization header, not several",
            headers={"WWW-Authenticate": 'Bearer error="invalid_request"'},
        )


class InsufficientScope(Problem):
    status = 403
    code = "insufficient-scope"
    title = "Insufficient scope"

    def __init__(self, scopes: Sequence[str]) -> None:
        """`scopes` are those of which one would have been enough."""
        need = f"the scope {scopes[0]}" if len(scopes) == 1 else f"one of the scopes {', '.join(scopes)}"
        super().__init__(
            f"This needs a token with {need}",
            headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{" ".join(scopes)}"'},
        )
