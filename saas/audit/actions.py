"""What is recorded, in words for people. A product feature has a catalogue of its own: `ACTIONS` in its package.

Not recorded is what merely uses what was given: tokens that are issued or refreshed, sessions that are looked at, keys
that sign. Nor is what runs out by itself and is then cleaned up.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ACTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "user.created": "Added a user",
        "user.invited": "Invited a user",
        "user.invitation_accepted": "Accepted an invitation",
        "user.renamed": "Changed a name",
        "user.disabled": "Disabled a user",
        "user.enabled": "Enabled a user again",
        "user.roles_changed": "Changed a user's roles",
        "user.password_changed": "Changed a password",
        "user.password_reset": "Reset a forgotten password",
        "user.password_link_sent": "Asked for a link to reset a password",
        "role.created": "Made a role",
        "role.changed": "Changed a role",
        "role.deleted": "Deleted a role",
        "session.started": "Signed in",
        "session.confirmed": "Signed in again",
        "session.refused": "Failed to sign in",
        "session.ended": "Ended a session",
        "client.created": "Made an app",
        "client.changed": "Changed an app",
        "client.secret_rotated": "Gave an app a new secret",
        "client.revoked": "Revoked an app",
        "consent.granted": "Let an app in",
        "consent.revoked": "Took an app's access away",
        "device.approved": "Let a device in",
        "device.denied": "Refused a device",
        "grants.revoked": "Ended all access that a user had given to apps",
        "token.revoked": "Gave a token back",
        "token.reuse_detected": "A token was used twice: all that came of it was revoked",
        "key.created": "Made a signing key",
        "key.published": "Published the next signing key",
        "key.activated": "Began to sign with a new key",
        "key.retired": "Retired a signing key",
        "key.rewrapped": "Sealed the signing keys under a new master key",
        "tenant.created": "Made this organization's account",
        "tenant.suspended": "Suspended this organization",
        "tenant.resumed": "Resumed this organization",
        "tenant.renamed": "Changed this organization's address",
        "tenant.plan_changed": "Changed the plan",
        "tenant.override_set": "Changed a limit of the plan",
        "tenant.override_removed": "Took back a change of the plan's limits",
        "tenant.branding_changed": "Changed the looks",
        "tenant.deleted": "Deleted this organization",
        "tenant.restored": "Restored this organization",
        "tenant.moved": "Moved this organization to another database",
        "domain.added": "Added a domain",
        "domain.verified": "Proved that a domain is theirs",
        "domain.removed": "Removed a domain",
        "factor.added": "Added a second factor",
        "factor.removed": "Removed a second factor",
        "recovery_codes.created": "Made new recovery codes",
        "recovery_codes.used": "Signed in with a recovery code",
        "passkey.added": "Added a passkey",
        "passkey.renamed": "Renamed a passkey",
        "passkey.removed": "Removed a passkey",
        "policy.changed": "Changed the sign-in policy",
        "audit.exported": "Exported the audit log",
        "audit.pruned": "Deleted audit events that were past their time",
    }
)
