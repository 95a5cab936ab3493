"""The product's features: the one line that an adopter adds stands here."""

from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter

from saas.access.scopes import Scope
from saas.product import projects


class Feature(Protocol):
    """What a feature's package offers: its routes below `/api/v1`, the scopes that these ask for, and the words for the
    actions that it records in the audit log."""

    router: APIRouter
    SCOPES: tuple[Scope, ...]
    ACTIONS: Mapping[str, str]


FEATURES: tuple[Feature, ...] = (projects,)
