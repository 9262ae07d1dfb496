"""`GET /diagnosis`: what is wrong, since when, its likely causes, and what to do."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from driftgauge.edges.formats.diagnosis import diagnoses_json, diagnosis_json
from driftgauge.edges.http.diagnosis_facts import diagnosis_of
from driftgauge.edges.http.drift_status import page_address, wants_page
from driftgauge.edges.http.encodings import negotiated, wants_gzip
from driftgauge.edges.http.monitoring import monitoring_of
from driftgauge.edges.http.queries import large_json
from driftgauge.errors import Reason, Refused

PATH: Final = "/diagnosis"
ANCHOR: Final = "diagnosis"
"""Where the page shows it."""


async def diagnosis(request: Request) -> Response:
    """Answer with the diagnosis of each live model, or of the one that the query names.

    Browsers are sent to the page, other clients get JSON.
    """
    monitoring = monitoring_of(request)
    asked = request.query_params.get("model")
    is_all = asked is None and monitoring.has_several
    models = monitoring.models.all_live if is_all else [monitoring.model(asked)]
    for model in models:
        _ = model.evaluations  # Refused if monitoring is off
    if wants_page(request):
        return RedirectResponse(f"./{page_address((), asked)}#{ANCHOR}", 307, negotiated(is_gzip=False))
    small = wants_gzip(request.headers.get("accept-encoding"))
    server_url = str(request.base_url).rstrip("/")
    try:
        found = await asyncio.gather(*(diagnosis_of(monitoring, model, server_url) for model in models))
    except TimeoutError as error:
        raise Refused(Reason.NOT_READY, f"{error}: ask again in a moment") from error
    unusable = monitoring.unusable if is_all else {}

    def answer() -> Response:
        shown = [
            diagnosis_json(own.diagnosis, model.model_name, model.model_version, own.dependence)
            for own, model in zip(found, models, strict=True)
        ]
        return large_json(diagnoses_json(shown, unusable), small=small)

    return await asyncio.get_running_loop().run_in_executor(monitoring.writing, answer)
