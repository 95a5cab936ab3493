"""The scopes of a tenant's administration: what its console, and whoever administers it through the API, may do."""

from typing import Final

from saas.access.scopes import Scope

_CATEGORY: Final = "Administration"

#: All are sensitive, so that the role `member` gives none of them.
ADMINISTRATION: Final = tuple(
    Scope(name, description, _CATEGORY, sensitive=True)
    for name, description in (
        ("users:read", "See the people, their roles and their sessions"),
        ("users:write", "Invite, change and disable people, and end their sessions"),
        ("roles:read", "See the roles and what each allows"),
        ("roles:write", "Make, change and delete roles"),
        ("clients:read", "See the apps and how they are set up"),
        ("clients:write", "Make, change and delete apps, and give them new secrets"),
        ("consents:read", "See which apps people have let in"),
        ("consents:write", "Take away the access that people have given to apps"),
        ("audit:read", "Read and export the audit log"),
        ("usage:read", "See the plan and what is used of it"),
        ("settings:read", "See the sign-in policy, the looks, the domains and the signing keys"),
        ("settings:write", "Change the sign-in policy, the looks and the domains, and replace signing keys"),
    )
)
#: Their names. Who holds none of them has no console.
ADMINISTRATIVE: Final = frozenset(scope.name for scope in ADMINISTRATION)
