"""What has to happen between a person and the authorization server before a client gets its code. Pure."""

from collections.abc import Collection
from datetime import datetime, timedelta

from saas.authserver.authorization_request import SIGN_IN_PROMPTS, AuthorizationRequest
from saas.authserver.client import Client
from saas.authserver.errors import ConsentRequired, LoginRequired


def must_sign_in(
    request: AuthorizationRequest, authenticated_at: datetime | None, since: datetime | None, now: datetime
) -> bool:
    """Whether the person has to prove who they are; `authenticated_at` is None where nobody is signed in.

    `since` is when this request first sent them to do so: what they proved after that is fresh enough for it, however
    long they then think about the consent. Raises LoginRequired where the client wants no page to be shown.
    """
    if _is_fresh(request, authenticated_at, since, now):
        return False
    if "none" in request.prompt:
        raise LoginRequired
    return True


def must_consent(
    request: AuthorizationRequest, client: Client, scopes: Collection[str], remembered: Collection[str]
) -> bool:
    """Whether the person has to be asked for `scopes`. Raises ConsentRequired where no page may be shown."""
    if "consent" not in request.prompt and (client.first_party or set(scopes) <= set(remembered)):
        return False
    if "none" in request.prompt:
        raise ConsentRequired
    return True


def _is_fresh(
    request: AuthorizationRequest, authenticated_at: datetime | None, since: datetime | None, now: datetime
) -> bool:
    if authenticated_at is None:
        return False
    if since is not None and authenticated_at >= since:
        return True
    if request.max_age and request.prompt.isdisjoint(SIGN_IN_PROMPTS):
        return now - authenticated_at <= timedelta(seconds=request.max_age)
    return not request.needs_fresh_sign_in
