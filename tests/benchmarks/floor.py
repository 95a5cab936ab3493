"""What the product is measured against: bare FastAPI routes on uvicorn as it comes, in the same run."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI, Request


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["FLOOR_DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_lifespan)


@app.get("/constant")
async def constant() -> dict[str, str]:
    return {"hello": "world"}


@app.get("/select")
async def select(request: Request) -> dict[str, str]:
    row = await request.app.state.pool.fetchrow("SELECT id, name FROM floor WHERE id = $1", 1)
    return {"name": row["name"]}
