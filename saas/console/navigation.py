"""The console's pages, as its navigation lists them."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """`group` is the heading above it, if any. `scopes`: who holds one of them may open it; none: any administrator."""

    key: str
    label: str
    path: str
    group: str
    scopes: tuple[str, ...] = ()


NAVIGATION: Final = (
    Entry("home", "Home", "/console", ""),
    Entry("people", "People", "/console/people", "People", ("users:read",)),
    Entry("roles", "Roles", "/console/roles", "People", ("roles:read",)),
    Entry("security", "Sign-in security", "/console/security", "People", ("settings:read",)),
    Entry("apps", "Apps", "/console/apps", "Apps", ("clients:read",)),
    Entry("consents", "Connected apps", "/console/consents", "Apps", ("consents:read",)),
    Entry("branding", "Branding", "/console/branding", "Organization", ("settings:read",)),
    Entry("domains", "Domains", "/console/domains", "Organization", ("settings:read",)),
    Entry("plan", "Plan and usage", "/console/plan", "Organization", ("usage:read",)),
    Entry("audit", "Audit log", "/console/audit", "Organization", ("audit:read",)),
)
