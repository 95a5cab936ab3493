import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import saas.web
from saas.web.branding import (
    DARK_SURFACE,
    DEFAULT_ACCENT,
    LIGHT_SURFACE,
    Branding,
    branding_of,
    contrast,
    readable,
    text_on,
)
from tests.factories import TenantFactory

CSS = (Path(saas.web.__file__).parent / "static" / "app.css").read_text()
COLOURS = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06x}")


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#abcdef", "#abcdef") == 1


@given(COLOURS)
def test_any_accent_can_be_read_and_written_on(accent: str) -> None:
    assert contrast(text_on(accent), accent) >= 4.5
    for surface in (LIGHT_SURFACE, DARK_SURFACE):
        assert contrast(readable(accent, surface), surface) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert readable(DEFAULT_ACCENT, LIGHT_SURFACE) == DEFAULT_ACCENT


@pytest.mark.parametrize("accent", ["", "red", "#fff", "#FFFFFF", "#12345g", "#123456;}", "#123456\n", "url(x)"])
def test_only_a_colour_is_an_accent(accent: str) -> None:
    with pytest.raises(ValueError, match="is not a colour"):
        Branding("Acme", accent)


@pytest.mark.parametrize(
    "url", ["https://evil.example/x.png", "//evil.example/x.png", "logo.png", "/a b", '/"', "/a\n"]
)
def test_a_logo_comes_from_the_same_host(url: str) -> None:
    with pytest.raises(ValueError, match="is not a path"):
        Branding("Acme", logo_url=url)


def test_the_icon_escapes_the_initial() -> None:
    assert ">&lt;</text>" in Branding("<b>").icon
    assert ">·</text>" in Branding(" ").icon


def test_branding_is_the_tenants() -> None:
    assert branding_of({"tenant": TenantFactory()}) == Branding("Acme")
    chosen = TenantFactory(accent="#000000", logo="0123456789abcdef.png")
    assert branding_of({"tenant": chosen}) == Branding("Acme", "#000000", "/static/logo/0123456789abcdef.png")
    assert branding_of({}) is None


def test_the_stylesheets_defaults_are_those_of_the_default_accent() -> None:
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+);", part)) for part in _themes())
    made = Branding("Acme").stylesheet
    assert re.findall(r"--([a-z-]+):(#[0-9a-f]+)", made) == [
        ("accent", light["accent"]),
        ("on-accent", light["on-accent"]),
        ("accent-ink", light["accent-ink"]),
        ("accent-ink", dark["accent-ink"]),
    ]
    assert (light["sunken"], dark["sunken"]) == (LIGHT_SURFACE, DARK_SURFACE)


def test_accents_are_measured_against_the_surface_of_least_contrast() -> None:
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+);", part)) for part in _themes())
    for surface in ("page", "surface"):
        assert contrast("#000000", light[surface]) >= contrast("#000000", LIGHT_SURFACE)
        assert contrast("#ffffff", dark[surface]) >= contrast("#ffffff", DARK_SURFACE)


def _themes() -> tuple[str, str]:
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    return light, dark
