"""Rules for the names of tenants, hosts and schemas. Pure: no input or output."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import UUID

from tenants.errors import InvalidName

#: Slugs that are, or may become, hosts of the platform itself.
RESERVED_SLUGS = frozenset(
    "admin api app assets auth autodiscover billing blog cdn console dashboard docs ftp help imap internal "
    "localhost login mail mx ns ns1 ns2 oauth platform pop root signin signup smtp sso staging static status "
    "support system test webmail www".split()
)
_SLUG = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_MAX_HOST = 253
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the platform is reached: `https://example.com` means tenants at `https://<slug>.example.com`.

    Issuers are built from this and a tenant's stored host, never from a request's Host header.
    """

    scheme: str
    base_domain: str
    port: int | None = None

    @classmethod
    def parse(cls, url: str) -> "Origin":
        """Raises InvalidName unless `url` is a scheme, a host and perhaps a port."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
            raise InvalidName(f"{url!r} is not a public URL: write it like https://example.com")
        return cls(parts.scheme, parts.hostname, parts.port)

    def host_of(self, slug: str) -> str:
        return f"{slug}.{self.base_domain}"

    def url_of(self, host: str) -> str:
        """The address of `host` on this platform: `https://acme.example.com`, with the port where it is set."""
        return f"{self.scheme}://{host}" + (f":{self.port}" if self.port else "")


def check_slug(slug: str) -> str:
    """Return `slug`; raise InvalidName where it cannot be a host label or is reserved."""
    if not _SLUG.fullmatch(slug) or "--" in slug:
        raise InvalidName(
            f"{slug!r} is not a slug: use 1 to 40 lower-case letters, digits and single hyphens, "
            "starting with a letter and not ending with a hyphen"
        )
    if slug in RESERVED_SLUGS:
        raise InvalidName(f"{slug!r} is reserved for the platform: choose another slug")
    return slug


def check_text(value: str, what: str) -> str:
    """Return `value`, a tenant's name or the like, without spaces around it; raise InvalidName where it is no line."""
    if not value.strip() or len(value) > _MAX_TEXT or not value.isprintable():
        raise InvalidName(f"A tenant's {what} is 1 to {_MAX_TEXT} printable characters")
    return value.strip()


def is_slug(value: str) -> bool:
    """Whether to look for a tenant of this name. A reserved one may have been taken before it was reserved."""
    return _SLUG.fullmatch(value) is not None


def is_host(value: str) -> bool:
    """Whether a tenant could be reached at this canonical host: bounded, and nothing that a database refuses."""
    return len(value) <= _MAX_HOST and all(map(_LABEL.fullmatch, value.split(".")))


def check_domain(host: str) -> str:
    """Return the custom domain `host` in its canonical form; raise InvalidName where it is not one."""
    canonical = normalize_host(host)
    if not is_host(canonical) or "." not in canonical:
        raise InvalidName(f"{host!r} is not a domain name: write it like login.example.com (IDNs in punycode)")
    return canonical


def normalize_host(value: str) -> str:
    """A Host header in its canonical form: lower case, without a port or a trailing dot."""
    host = value.strip().lower()
    if host.startswith("["):  # an IPv6 literal keeps its brackets
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].rstrip(".")


def schema_name(tenant_id: UUID) -> str:
    """The tenant's schema: opaque, so that it never changes when the tenant is renamed."""
    return f"t_{tenant_id.hex}"
