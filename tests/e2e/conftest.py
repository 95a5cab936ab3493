"""Fixtures of the end-to-end tests."""

from tests.e2e.browser import browser, page_at

__all__ = ["browser", "page_at"]
