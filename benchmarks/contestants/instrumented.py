"""The bare server with prometheus-fastapi-instrumentator: it counts and times requests, and that is all."""

from __future__ import annotations

from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator

from benchmarks.contestants import bare


def create_app() -> FastAPI:
    """Return the server; for `uvicorn --factory`."""
    app = bare.create_app()
    Instrumentator().instrument(app).expose(app)
    return app
