"""What holds of a suite: an outcome for each assertion and window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NoReturn

from driftgauge.checks.assertions.junit import junit_of
from driftgauge.checks.assertions.language import Value, spelled_value
from driftgauge.checks.assertions.suite import Assertion
from driftgauge.checks.report import CheckReport


@dataclass(frozen=True)
class Outcome:
    """Whether an assertion holds in a window."""

    assertion: Assertion
    """The assertion."""
    window: str
    """`table` for a single one, else the file's name without its ending, or the start of the period."""
    value: Value | None
    """The value of the function; None where it is not known."""
    passed: bool
    """Whether the condition holds."""
    problem: str = ""
    """Why the value is not known."""
    note: str = ""
    """What limits the value, such as a sample."""

    @property
    def fails(self) -> bool:
        """Whether the suite fails by it: the condition does not hold, and its severity is critical."""
        return not self.passed and self.assertion.severity == "critical"

    @property
    def reason(self) -> str:
        """The value in words."""
        if self.value is None:
            return self.problem
        note = f" ({self.note})" if self.note else ""
        return f"it is {spelled_value(self.value)}{note}"


@dataclass(frozen=True, eq=False, repr=False)
class SuiteReport:
    """What holds of a suite; `assert report.passed, report` is a test."""

    outcomes: tuple[Outcome, ...]
    """An outcome for each window and assertion."""
    name: str
    """The name of the suite."""
    comparison: CheckReport | None = None
    """The comparison with the baseline; None without one."""
    is_history: bool = False
    """Whether there may be several windows."""

    def __str__(self) -> str:
        return "\n".join(map(self._line, self.failed)) or "every assertion holds"

    def __repr__(self) -> str:
        return f"<SuiteReport: {len(self.failed):,} of {len(self.outcomes):,} assertions failed. {self}>"

    def __bool__(self) -> NoReturn:
        raise TypeError("a report is neither true nor false: use report.passed")

    def _line(self, outcome: Outcome) -> str:
        window = f"{outcome.window}: " if self.is_history else ""
        named = f"{outcome.assertion.name}: " if outcome.assertion.name else ""
        severity = "warning: " if outcome.assertion.severity == "warning" else ""
        return f"{severity}{window}{named}{outcome.assertion.text}: {outcome.reason}"

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The outcomes whose condition does not hold, of either severity."""
        return tuple(one for one in self.outcomes if not one.passed)

    @property
    def passed(self) -> bool:
        """Whether every assertion of severity critical holds in every window."""
        return not any(one.fails for one in self.outcomes)

    def to_dict(self) -> dict[str, Any]:
        """Return what `driftgauge check --assert … --json` prints; an unknown value is None."""
        return {
            "suite": self.name,
            "passed": self.passed,
            "assertions": [_dict_of(one) for one in self.outcomes],
            "check": None if self.comparison is None else self.comparison.to_dict(),
        }

    def to_junit(self) -> str:
        """Return the outcomes in the XML of JUnit, which CI servers show."""
        return junit_of(self)


def _dict_of(outcome: Outcome) -> dict[str, Any]:
    own = outcome.assertion
    value = outcome.value
    return {
        "assertion": own.text,
        "name": own.name or None,
        "description": own.description or None,
        "severity": own.severity,
        "window": outcome.window,
        "passed": outcome.passed,
        "value": None if isinstance(value, float) and not math.isfinite(value) else value,
        "reason": outcome.reason,
        "file": own.file or None,
        "line": own.line or None,
    }
