"""Who may give an app what: nobody more than they have.

An app that acts for a person has, at most, what this person may do. One that acts for itself has all of its scopes, and
one of the company's own gets a person's without asking: whoever holds its secret, or the address that people come back
to, holds as much. So of these two kinds, only who has all that is sensitive of its scopes may make one, change it, or
have its secret.
"""

from collections.abc import Sequence
from typing import Protocol

from saas.identity.authority import Authority
from saas.identity.errors import BeyondAuthority


class Powers(Protocol):
    """Of a client."""

    @property
    def grant_types(self) -> Sequence[str]: ...
    @property
    def scopes(self) -> Sequence[str]: ...
    @property
    def first_party(self) -> bool: ...


def may_have(by: Authority | None, client: Powers) -> bool:
    """`by`: whoever acts; None: an operator, who may do all."""
    acts_unasked = client.first_party or "client_credentials" in client.grant_types
    return by is None or not acts_unasked or by.covers(client.scopes)


def check_powers(by: Authority | None, client: Powers) -> None:
    """Raises BeyondAuthority."""
    if not may_have(by, client):
        raise BeyondAuthority(
            "This app would act without asking anybody, and may do what you may not: choose fewer scopes, "
            "or ask somebody whose role allows all of them"
        )
