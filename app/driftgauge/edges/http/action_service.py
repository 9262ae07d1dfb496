"""The actions of a server: what is configured, the history, and the runner of this worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from driftgauge.actions.action import MODEL_LABEL, Action, Alert, Decision, Executor, State
from driftgauge.actions.guards import Finding, judge
from driftgauge.actions.history import DROPPED, History
from driftgauge.actions.intake import Received, receive
from driftgauge.actions.runner import Runner
from driftgauge.edges.formats.actions import action_json, decision_json
from driftgauge.metrics.facts import ActionFacts

RESULTS: Final = (State.DONE, State.FAILED, State.UNKNOWN, State.REFUSED, State.DRY_RUN)
SEARCHED: Final = 1_000
"""Newest decisions among which those that concern a model are looked for."""
Executors = Mapping[str, Executor]


@dataclass
class ActionService:
    """What the routes of actions use."""

    actions: Sequence[Action]
    history: History
    clock: Callable[[], float]
    make: Callable[[asyncio.AbstractEventLoop], tuple[Runner, Executors]]
    """Makes the runner of this worker, whose executors may use the event loop."""
    model: str | None
    """Name of the only model; None where there are several."""
    report: Callable[[Exception], None]
    """Called where the history cannot be read for the metrics."""
    _runner: Runner | None = field(default=None, init=False)
    _executors: Executors = field(default_factory=dict, init=False)

    def start(self) -> None:
        """Start to run what is decided; called on the event loop."""
        self._runner, self._executors = self.make(asyncio.get_running_loop())
        self._runner.start()

    async def stop(self) -> None:
        """Run nothing any more, and close the history."""
        if self._runner is not None:
            await asyncio.to_thread(self._runner.stop)
        self.history.close()

    async def receive(self, alerts: Sequence[Alert], who: str) -> Received:
        """Decide on actions for alerts; ActionsError if the decision cannot be written down."""
        received = await asyncio.to_thread(receive, self.history, self.actions, alerts, who, self.clock())
        if self._runner is not None:
            self._runner.wake()
        return received

    async def status(self, before: int | None, most: int) -> dict[str, Any]:
        """Return the actions and the newest decisions; ActionsError if the history cannot be read."""
        return await asyncio.to_thread(self._status, before, most)

    async def newest(self, model: str, most: int) -> Sequence[Decision]:
        """Return the newest decisions on alerts of a model or of the server; ActionsError if they cannot be read."""
        return await asyncio.to_thread(self._newest, model, most)

    def _newest(self, model: str, most: int) -> Sequence[Decision]:
        page = self.history.page(None, SEARCHED)
        return [own for own in page if own.alert.model in ("", model)][:most]

    def _status(self, before: int | None, most: int) -> dict[str, Any]:
        totals = self.history.totals()
        decisions = self.history.page(before, most + 1)
        shown = decisions[:most]
        steps = self.history.steps([own.number for own in shown])
        dropped = totals.get(("", DROPPED))
        return {
            "actions": [action_json(own, *self._now(own), totals) for own in self.actions],
            "decisions": [decision_json(own, steps[own.number]) for own in shown],
            "next_before": shown[-1].number if len(decisions) > most else None,
            "dropped": 0 if dropped is None else dropped.decisions,
        }

    def _now(self, action: Action) -> tuple[Finding, str]:
        """Return what an alert that has fired for long enough would lead to now, and what would then be done."""
        now, alert = self.clock(), self._example(action)
        case = self.history.case(action, alert, now, now, is_dry_run=action.settings.dry_run)
        return judge(case, now), self._preview(action, alert)

    def _preview(self, action: Action, alert: Alert) -> str:
        executor = self._executors.get(action.kind)
        if executor is None:
            return f"nothing: this server cannot run actions of kind {action.kind}"
        return executor.preview(action, alert)

    def _example(self, action: Action) -> Alert:
        own = action.settings
        labels = {**own.labels, "alertname": own.alerts[0], "severity": own.severity[0]}
        if model := own.model or self.model:
            labels[MODEL_LABEL] = model
        return Alert("", "", is_firing=True, labels=labels, annotations={}, starts_at=self.clock() - own.for_seconds)

    def facts(self) -> Sequence[ActionFacts]:
        """Return how often each action has ended how; what is known without the history if it cannot be read."""
        try:
            totals = self.history.totals()
        except Exception as error:
            self.report(error)
            return ()
        return [
            ActionFacts(
                action.name,
                {own.value: (found.decisions if (found := totals.get((action.name, own))) else 0) for own in RESULTS},
                {own.value: found.last_at for own in RESULTS if (found := totals.get((action.name, own)))},
            )
            for action in self.actions
        ]
