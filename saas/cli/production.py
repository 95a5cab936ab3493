"""What production needs, for the commands that run there."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from saas.cli import output
from saas.settings import Settings, decode_key

#: A random key has about 30 different bytes of 32; one from a keyboard or an example does not.
_FEWEST_BYTES: Final = 16


def check_production(settings: Settings) -> None:
    """End the command, with one line that lists all that is missing, where the settings are not fit for production."""
    missing = list(_missing(settings))
    if missing:
        output.fail(f"Not ready for production: {'; '.join(missing)}. For development, use `saas dev`")


def _missing(settings: Settings) -> Iterator[str]:
    """What production needs and is not set, or has a value that protects nothing."""
    if not settings.database.url:
        yield "set SAAS_DATABASE_URL"
    if not settings.redis.url:
        yield "set SAAS_REDIS_URL"
    key = settings.secrets.master_key
    if not key.get_secret_value():
        yield "set SAAS_SECRETS_MASTER_KEY to what `openssl rand -base64 32` prints"
    elif len(set(decode_key(key))) < _FEWEST_BYTES:
        yield "SAAS_SECRETS_MASTER_KEY is not random, make one with `openssl rand -base64 32`"
    origin = settings.public.origin
    if "url" not in settings.public.model_fields_set:
        yield "set SAAS_PUBLIC_URL to the address of the platform, like https://example.com"
    elif origin.scheme != "https" and not _is_local(origin.base_domain):
        yield f"SAAS_PUBLIC_URL must begin with https://, since tokens travel to {origin.base_domain}"


def _is_local(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
