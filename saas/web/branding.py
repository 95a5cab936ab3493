"""A tenant's looks: its name, its colour, its logo; and colours that stay readable whatever colour that is."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.sax.saxutils import escape

from starlette.types import Scope

from tenants.registry import Tenant

DEFAULT_ACCENT: Final = "#3451d1"
#: Where a tenant's logo is served, by the name of its file.
LOGO_PATH: Final = "/static/logo"
#: Of the surfaces that app.css lays text on, the one where contrast is least.
LIGHT_SURFACE: Final = "#eef0f4"
DARK_SURFACE: Final = "#262c36"
#: WCAG 2.2, 1.4.3: the least contrast of text.
_READABLE: Final = 4.5
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}")
#: An address on the tenant's own host: the pages' policy loads nothing else.
_LOGO: Final = re.compile(r"/(?!/)[A-Za-z0-9._~/-]*")
_STEPS: Final = 40
_NEARLY_BLACK: Final = 0.04045


@dataclass(frozen=True, slots=True)
class Branding:
    """Raises ValueError unless `accent` is #rrggbb in lower case and `logo_url` a path on the same host."""

    name: str
    accent: str = DEFAULT_ACCENT
    logo_url: str | None = None

    def __post_init__(self) -> None:
        if not _COLOUR.fullmatch(self.accent):
            raise ValueError(f"{self.accent!r} is not a colour: write it like {DEFAULT_ACCENT}")
        if self.logo_url is not None and not _LOGO.fullmatch(self.logo_url):
            raise ValueError(f"{self.logo_url!r} is not a path on the tenant's own host")

    @property
    def initial(self) -> str:
        return self.name.strip()[:1].upper() or "·"

    @property
    def stylesheet(self) -> str:
        return _stylesheet(self.accent)

    @property
    def icon(self) -> str:
        """The initial on the accent colour, as SVG."""
        return (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
            f'<rect width="32" height="32" rx="8" fill="{self.accent}"/>'
            '<text x="16" y="22.5" text-anchor="middle" font-family="system-ui,sans-serif" font-weight="700" '
            f'font-size="18" fill="{text_on(self.accent)}">{escape(self.initial)}</text></svg>'
        )


def branding_of(scope: Scope) -> Branding | None:
    """The tenant's; None on a host without tenant."""
    tenant: Tenant | None = scope.get("tenant")
    if tenant is None:
        return None
    return Branding(tenant.name, tenant.accent or DEFAULT_ACCENT, tenant.logo and f"{LOGO_PATH}/{tenant.logo}")


@lru_cache(maxsize=256)
def _stylesheet(accent: str) -> str:
    """Custom properties: what is filled, what is written on it, and the colour as text."""
    light, dark = readable(accent, LIGHT_SURFACE), readable(accent, DARK_SURFACE)
    return (
        f":root{{--accent:{accent};--on-accent:{text_on(accent)};--accent-ink:{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{--accent-ink:{dark}}}}}\n"
    )


def text_on(colour: str) -> str:
    """White where it can be read on `colour`, else black, which then can."""
    return "#ffffff" if contrast("#ffffff", colour) >= _READABLE else "#000000"


def readable(colour: str, surface: str) -> str:
    """`colour`, as little darkened or lightened as makes it readable as text on `surface`."""
    target = 0.0 if _luminance(surface) > _luminance("#777777") else 255.0
    parts = _parts(colour)
    for step in range(_STEPS + 1):
        mixed = "#" + "".join(f"{round(part + (target - part) * step / _STEPS):02x}" for part in parts)
        if contrast(mixed, surface) >= _READABLE:
            return mixed
    raise ValueError(f"No text can be read on {surface}")


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours after WCAG 2.2: 1 to 21."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    """sRGB without its gamma (IEC 61966-2-1)."""
    return float(part / 12.92 if part <= _NEARLY_BLACK else ((part + 0.055) / 1.055) ** 2.4)


def _parts(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
