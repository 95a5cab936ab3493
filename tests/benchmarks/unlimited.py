"""The application as it is, but for its limits: what a request costs without them."""

from typing import Any

from fastapi import FastAPI

from saas import main
from saas.ratelimit.middleware import RateLimitMiddleware


def create_app_from_env() -> FastAPI:
    app = main.create_app_from_env()
    classes: list[Any] = [each.cls for each in app.user_middleware]
    del app.user_middleware[classes.index(RateLimitMiddleware)]
    return app
