"""`POST /drift/multivariate`: compares whole rows now."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import Response

from driftgauge.common.private_files import LockTimeout
from driftgauge.edges.formats.multivariate import comparison_json
from driftgauge.edges.http.errors import json_response
from driftgauge.edges.http.monitoring import monitoring_of
from driftgauge.errors import Reason, Refused
from driftgauge.monitor.row_process import RowsNotCompared

PATH: Final = "/drift/multivariate"


async def compare(request: Request) -> Response:
    """Compare the newest rows with those that are kept of the reference, in a process of low priority.

    It takes a second or two. The answer is also the last comparison of the status and the metrics.
    """
    model = monitoring_of(request).model(request.query_params.get("model"))
    _ = model.evaluations  # Refused if monitoring is off
    if model.whole_rows is None:
        raise Refused(
            Reason.NO_KEPT_ROWS,
            f"no rows of the reference are kept for {model.model_name}: build its bundle or baseline again with "
            "--keep-rows 2000",
        )
    try:
        found = await model.whole_rows.compare()
    except (RowsNotCompared, LockTimeout) as error:
        raise Refused(Reason.ROWS_NOT_COMPARED, f"{error}: try again later") from error
    known = {"model_name": model.model_name, "model_version": model.model_version}
    return json_response({**known, **comparison_json(found)})
