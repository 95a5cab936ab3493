"""The product's features: the one line that an adopter adds stands here."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Select

from saas.access.scopes import Scope
from saas.product import projects

if TYPE_CHECKING:
    from fastapi import APIRouter


class Feature(Protocol):
    """What a feature's package offers: its routes (see `saas.web.api`), the scopes that these ask for, the words for
    the actions that it records in the audit log, and the rows that a plan caps, by the cap's name."""

    SCOPES: tuple[Scope, ...]
    ACTIONS: Mapping[str, str]
    CAPPED: Mapping[str, Select[Any]]

    def api(self) -> "APIRouter": ...


FEATURES: tuple[Feature, ...] = (projects,)
