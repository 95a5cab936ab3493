"""The product's features: the one line that an adopter adds stands here."""

from typing import Protocol

from fastapi import APIRouter

from saas.access.scopes import Scope
from saas.product import projects


class Feature(Protocol):
    """What a feature's package offers: its routes below `/api/v1`, and the scopes that these ask for."""

    router: APIRouter
    SCOPES: tuple[Scope, ...]


FEATURES: tuple[Feature, ...] = (projects,)
