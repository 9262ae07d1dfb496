"""`POST /actions/alertmanager` takes alerts, `GET /actions` shows the actions and the decisions on them."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import Response

from driftgauge.common.quoting import shortened
from driftgauge.edges.formats.actions import received_json
from driftgauge.edges.formats.alertmanager import PostedAlerts
from driftgauge.edges.http.access import caller_of
from driftgauge.edges.http.action_service import ActionService
from driftgauge.edges.http.errors import error_response, json_response
from driftgauge.edges.http.small_body import read_body
from driftgauge.errors import ActionsError, Reason, Refused

PATH: Final = "/actions"
ALERTS: Final = "/actions/alertmanager"
MOST_BODY_BYTES: Final = 2_097_152
RETRY_AFTER_SECONDS: Final = 5
USUAL_DECISIONS: Final = 100
MOST_DECISIONS: Final = 1_000
"""Decisions of one answer."""


async def alerts(request: Request) -> Response:
    """Decide on actions for the alerts of Alertmanager's webhook; the answer comes once the decisions are stored."""
    service = _service(request)
    if service is None:
        message = "the settings of this server have no actions: add [[actions]], see docs/actions.md"
        raise Refused(Reason.ACTIONS_DISABLED, message)
    posted = await read_body(request, PostedAlerts, MOST_BODY_BYTES, Reason.INVALID_ALERT)
    try:
        received = await service.receive(posted.as_alerts(), caller_of(request.scope).name)
    except ActionsError as error:
        service.report(error)
        message = "the alerts could not be stored, none of them: send them again in a moment"
        return error_response(Reason.ACTIONS_NOT_STORED, message, headers={"retry-after": str(RETRY_AFTER_SECONDS)})
    return json_response(received_json(received))


async def actions(request: Request) -> Response:
    """Answer with the configured actions, and the newest decisions on them."""
    before = _whole(request, "before", None, (1 << 62) - 1)
    most = _whole(request, "limit", USUAL_DECISIONS, MOST_DECISIONS)
    service = _service(request)
    if service is None:
        return json_response({"actions": [], "decisions": [], "next_before": None, "dropped": 0})
    try:
        return json_response(await service.status(before, most or USUAL_DECISIONS))
    except ActionsError as error:
        service.report(error)
        message = "the history of actions cannot be read now: the server's log says why"
        return error_response(Reason.ACTIONS_NOT_STORED, message, headers={"retry-after": str(RETRY_AFTER_SECONDS)})


def _service(request: Request) -> ActionService | None:
    service: ActionService | None = getattr(request.app.state, "actions", None)
    return service


def _whole(request: Request, name: str, usual: int | None, most: int) -> int | None:
    """Return a whole number of the query; Refused for anything else."""
    text = request.query_params.get(name)
    if text is None:
        return usual
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        message = f"{name}: {shortened(text)!r} is not a whole number from 1 to {most}"
        raise Refused(Reason.INVALID_QUERY, message, {"field": name})
    return int(text)
