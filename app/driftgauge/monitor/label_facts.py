"""What is known of a model's labels and outcomes, shared by the workers of a service so that each says the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Final

from driftgauge.common.private_files import LockTimeout
from driftgauge.common.shared_text import LOCK_SECONDS, SharedText
from driftgauge.drift.performance.outcomes import OutcomeReport, OutcomeRule, OutcomeSums, Stretches, judge_versions
from driftgauge.predictions.label_store import LabelFacts

Sums = Mapping[str, Mapping[str, Stretches]]
"""Sums of each outcome by the version that predicted and the stretches of the window."""
NO_FACTS: Final = LabelFacts(waiting=0, last_received=None)


@dataclass(frozen=True)
class Known:
    """What is known of the labels and outcomes of a model."""

    facts: LabelFacts = NO_FACTS
    claimed: Mapping[str, float] = field(default_factory=dict)
    """When a worker last began to sum up each outcome, seconds since 1970."""
    sums: Sums = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The same as JSON."""
        sums = {
            name: {version: [astuple(stretch) for stretch in own] for version, own in versions.items()}
            for name, versions in self.sums.items()
        }
        content = {"facts": asdict(self.facts), "claimed": dict(self.claimed), "sums": sums}
        return json.dumps(content, separators=(",", ":"))


def known_of(text: str) -> Known:
    """Return what a text says; nothing known for one that cannot be read, such as that of another version."""
    try:
        content: Any = json.loads(text)
        sums = {
            str(name): {str(version): [OutcomeSums(*stretch) for stretch in own] for version, own in versions.items()}
            for name, versions in content["sums"].items()
        }
        claimed = {str(name): float(at) for name, at in content["claimed"].items()}
        return Known(LabelFacts(**content["facts"]), claimed, sums)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Known()


class SharedLabelFacts:
    """What the worker that looked last left to all of them; may be used from several threads."""

    def __init__(self, rules: Mapping[str, OutcomeRule], shared: SharedText | None = None) -> None:
        """Judge outcomes by `rules`; without `shared` nothing is shared with other processes."""
        self._rules: Final = dict(rules)
        self._shared: Final = shared or SharedText()
        self._read: tuple[str, Known, Mapping[str, OutcomeReport]] = "", Known(), {}

    def replace(self, look: Callable[[Known], Known], wait_seconds: float = LOCK_SECONDS) -> None:
        """Replace what is known by what `look` finds now, given what was known; raises what it raises.

        Other workers wait for it meanwhile. What cannot be written for them is known to this process; what another
        one holds up for longer than `wait_seconds` is left out.
        """
        with suppress(OSError, LockTimeout):
            self._shared.replace(lambda: look(self.known).text, wait_seconds)

    @property
    def known(self) -> Known:
        """What is known."""
        return self._newest()[1]

    @property
    def outcomes(self) -> Mapping[str, OutcomeReport]:
        """The business outcomes, judged by the rules of this process."""
        return self._newest()[2]

    def _newest(self) -> tuple[str, Known, Mapping[str, OutcomeReport]]:
        text = self._shared.read()
        if text != self._read[0]:
            known = known_of(text)
            found = {name: rule for name, rule in self._rules.items() if name in known.sums}
            self._read = text, known, {name: judge_versions(known.sums[name], rule) for name, rule in found.items()}
        return self._read
