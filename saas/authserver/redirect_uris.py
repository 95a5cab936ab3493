"""Redirect URIs: which a client may register, and which a request may name (RFC 9700 section 2.1, RFC 8252). Pure."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

_MAX_LENGTH: Final = 2000
#: RFC 3986 characters, without the fragment's `#` and without `*`, which some take for a wildcard.
_URI: Final = re.compile(r"[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?\[\]@!$&'()+,;=%-]+")
_ESCAPES: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST: Final = re.compile(r"[a-z0-9.-]+|\[[0-9a-f:.]+\]")
_LOOPBACK: Final = re.compile(r"(http://(?:127\.0\.0\.1|\[::1\]|localhost))(?::(\d{1,5}))?([/?].*)?")
_MAX_PORT: Final = 65_535


def problem_with(uri: str) -> str | None:
    """Why a client may not register `uri`, in words; None where it may.

    `https` to any host; `http` to this device alone; or a scheme of an app's own, which holds a dot because it is the
    reverse of a domain that the app's maker has (RFC 8252 section 7.1): it is unlikely to be another app's.
    """
    if len(uri) > _MAX_LENGTH:
        return f"it is longer than {_MAX_LENGTH} characters"
    if not _URI.fullmatch(uri) or _ESCAPES.search(uri):
        return "it is not an absolute URI without a fragment and without wildcards"
    scheme, _, rest = uri.partition(":")
    if scheme in {"http", "https"}:
        return _problem_with_web(uri)
    if "." not in scheme:
        return f"the scheme {scheme} is no app's own: use the reverse of a domain, like com.example.app"
    return "it names a host" if rest.startswith("//") and "@" in rest else None


def matches(uri: str, registered: Iterable[str], *, native: bool) -> bool:
    """Whether a request may name `uri`: character by character what is registered (RFC 9700 section 4.1.3).

    A `native` app on a loopback address may choose its port at the time of the request (RFC 8252 section 7.3).
    """
    registered = tuple(registered)
    if uri in registered:
        return True
    wanted = _without_port(uri) if native else None
    return wanted is not None and wanted in map(_without_port, registered)


def is_loopback(uri: str) -> bool:
    return _LOOPBACK.fullmatch(uri) is not None


def _problem_with_web(uri: str) -> str | None:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return "its host or port is malformed"
    if "@" in parts.netloc:
        return "it holds a user name"
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if not uri.startswith(f"{parts.scheme}://") or not _HOST.fullmatch(host):
        return "its host is missing or malformed: write it in lower case"
    if parts.scheme == "http" and not is_loopback(uri):
        return "http is for this device alone (127.0.0.1, [::1], localhost): use https"
    return None


def _without_port(uri: str) -> tuple[str, str] | None:
    """A loopback URI but for its port; None for others, and for a port that cannot be."""
    match = _LOOPBACK.fullmatch(uri)
    if match is None or not 0 < int(match[2] or 80) <= _MAX_PORT:
        return None
    return match[1], match[3] or ""
