"""What people get by mail. Plain text; every link is at the tenant's own address."""

from datetime import timedelta
from typing import Final

from saas.identity.links import Purpose
from saas.kit.mail import Message
from tenants.registry import Tenant

_IN_WORDS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def link_address(tenant: Tenant, purpose: Purpose, token: str) -> str:
    return f"{tenant.issuer}/{purpose}/{token}"


def reset_mail(tenant: Tenant, to: str, token: str, ttl: timedelta) -> Message:
    return Message(
        to,
        f"Reset your password for {tenant.name}",
        f"""Somebody, hopefully you, asked to reset the password of {to} at {tenant.name}.

Choose a new password here:
{link_address(tenant, "reset", token)}

The link works once, for {_in_words(ttl)}. If it was not you, do nothing: your password stays as it is.
""",
    )


def invitation_mail(tenant: Tenant, to: str, token: str, ttl: timedelta) -> Message:
    return Message(
        to,
        f"You are invited to {tenant.name}",
        f"""You are invited to join {tenant.name}.

Choose your password here:
{link_address(tenant, "invitation", token)}

The link works once, for {_in_words(ttl)}. If you do not know {tenant.name}, do nothing.
""",
    )


def password_changed_mail(tenant: Tenant, to: str) -> Message:
    return Message(
        to,
        f"Your password for {tenant.name} was changed",
        f"""The password of {to} at {tenant.name} was just changed, and other sessions were ended.

If it was not you, reset it at once, and look at your sessions and connected apps afterwards:
{tenant.issuer}/reset
""",
    )


def factors_changed_mail(tenant: Tenant, to: str, change: str) -> Message:
    """`change` is a sentence: what happened."""
    return Message(
        to,
        f"How you sign in to {tenant.name} has changed",
        f"""{change}

This concerns the account of {to} at {tenant.name}. If it was not you, reset your password at once, and look at your
authenticator app, passkeys and sessions afterwards:
{tenant.issuer}/reset
{tenant.issuer}/account/security
""",
    )


def _in_words(ttl: timedelta) -> str:
    """The largest unit that says it exactly: `30 minutes`, `7 days`."""
    seconds = int(ttl.total_seconds())
    for length, unit in _IN_WORDS:
        if seconds % length == 0:
            count = seconds // length
            return f"{count} {unit}{'s' * (count != 1)}"
    return f"{seconds} seconds"
