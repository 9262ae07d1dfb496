"""The facts behind the page's section on actions."""

from __future__ import annotations

import asyncio

from fastapi import Request

from driftgauge.actions.action import Decision
from driftgauge.actions.executors.command import OUTPUT
from driftgauge.edges.http.action_service import ActionService
from driftgauge.edges.http.model_monitoring import ModelMonitoring
from driftgauge.edges.web.actions import SHOWN, ActionDecision, ActionsFacts, ConfiguredAction
from driftgauge.errors import ActionsError


async def actions_of(request: Request, model: ModelMonitoring) -> ActionsFacts | None:
    """Return the actions of the server, and the newest decisions that concern a model; None without actions.

    Decisions are unknown if the history cannot be read in time.
    """
    service: ActionService | None = getattr(request.app.state, "actions", None)
    if service is None:
        return None
    wait_seconds = model.settings.evaluation_wait_seconds
    configured = [ConfiguredAction(own.name, own.kind, own.settings.dry_run) for own in service.actions]
    try:
        found = await asyncio.wait_for(service.newest(model.model_name, SHOWN), wait_seconds)
    except ActionsError as error:
        service.report(error)
        return ActionsFacts(configured, None)
    except TimeoutError:
        service.report(TimeoutError(f"the history of actions was not read within {wait_seconds:g} s"))
        return ActionsFacts(configured, None)
    return ActionsFacts(configured, [_decision(own) for own in found])


def _decision(own: Decision) -> ActionDecision:
    """Return a decision without the output of its command: a saved page may be read by others."""
    detail = own.detail.partition(OUTPUT)[0]
    return ActionDecision(own.action, own.alert.name, own.state.value, detail, own.changed_at, own.is_dry_run)
