"""What each worker process imports: the application, with settings and logs from the environment."""

from __future__ import annotations

import sys

import structlog
from fastapi import FastAPI

from app.errors import BundleError
from app.leaving import leave_with_parent
from app.logs import configure_logs
from app.main import create_app
from app.settings import SettingsError, load

IMPORT_STRING = "app.worker:create"


def create() -> FastAPI:
    """Return a worker's application, or end: the supervisor tries again, and other workers serve on."""
    try:
        settings = load()
        configure_logs(settings.log_level, settings.log_format)
        leave_with_parent()
        return create_app(settings)
    except (BundleError, SettingsError) as error:
        structlog.get_logger().error("cannot_start", detail=str(error))
        sys.exit(1)
