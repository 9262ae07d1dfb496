"""The samples of actions on alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from driftgauge.metrics.facts import ActionFacts
from driftgauge.metrics.series import Declared
from driftgauge.metrics.server_series import ACTIONS
from driftgauge.metrics.text_format import labelled, sample


def action_samples(spec: Declared, actions: Sequence[ActionFacts]) -> Iterator[str]:
    """Yield how often each action has ended with each result, or when it last did."""
    for action in actions:
        numbers = action.totals if spec is ACTIONS else action.last
        for result, number in numbers.items():
            yield sample(spec.name, labelled(dict(zip(spec.labels, (action.name, result), strict=True))), float(number))
