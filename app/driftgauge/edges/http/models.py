"""`GET /models`: which models there are, and how each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.responses import Response

from driftgauge.edges.http.context import ServerContext, context_of
from driftgauge.edges.http.errors import json_response
from driftgauge.edges.http.model_monitoring import ModelMonitoring


async def models(request: Request) -> Response:
    """List the models: live versions, what they do, and their last verdict; also those that could not be loaded."""
    context = context_of(request)
    found = [_described(context, model) for model in context.monitoring.models]
    return json_response({"models": [*found, *map(_unusable, context.monitoring.unusable.items())]})


def _described(context: ServerContext, model: ModelMonitoring) -> Mapping[str, Any]:
    report, problems = model.monitor.last.report, model.current_problems()
    watched = model.evaluator is not None
    return {
        "model_name": model.model_name,
        "model_version": model.model_version,
        "live": context.monitoring.models.is_live(model),
        "predicts": context.models.find(model.model_name, model.model_version) is not None,
        "task": model.task,
        "status": report.status if watched else None,
        "severity": report.severity if watched else None,
        "rows_observed": report.rows_observed,
        "healthy": not problems,
        "problems": problems,
    }


def _unusable(item: tuple[str, str]) -> Mapping[str, Any]:
    name, why = item
    nothing = dict.fromkeys(("model_version", "task", "status", "severity", "rows_observed"))
    return {"model_name": name, "live": False, "predicts": False, **nothing, "healthy": False, "problems": [why]}
