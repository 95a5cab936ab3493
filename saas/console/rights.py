"""How far the rights of whoever looks at a page reach over people and roles, and what their choices are."""

from collections.abc import Sequence

from saas.access.scopes import Scope
from saas.console.frame import Page
from saas.identity.authority import Authority
from saas.identity.role_service import HeldRole
from saas.identity.roles import IDENTITY_SCOPES, OWNER


def authority_of(page: Page) -> Authority:
    return Authority(
        page.scopes, owner=OWNER in page.person.roles, catalogue=page.state.catalogue, user_id=page.person.user_id
    )


def grantable(page: Page, roles: Sequence[HeldRole]) -> list[HeldRole]:
    """Those that the person may give to others."""
    by = authority_of(page)
    return [role for role in roles if by.covers(role.scopes) and (by.owner or role.name != OWNER)]


def scopes_for_roles(page: Page) -> list[Scope]:
    """What a role may hold, but for what every role holds."""
    return [scope for scope in page.state.catalogue if scope.name not in IDENTITY_SCOPES]


def is_sensitive(page: Page, role: HeldRole) -> bool:
    return any(scope.sensitive and scope.name in role.scopes for scope in page.state.catalogue)
