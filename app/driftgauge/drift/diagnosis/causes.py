"""A likely cause, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

CauseKind = Literal[
    "unit_change",
    "scaled_feature",
    "stuck_sensor",
    "swapped_columns",
    "new_category",
    "missing_upstream",
    "time_zone_shift",
    "label_shift",
    "concept_drift",
    "slow_model",
    "constant_answers",
    "traffic_mix",
    "column_drift",
    "score_drift",
    "constraint_violation",
    "performance_drop",
    "server_errors",
    "rows_lost",
    "no_rows",
    "monitoring_problem",
]
CAUSE_KINDS: Final[tuple[CauseKind, ...]] = get_args(CauseKind)
"""What a cause can be. The first twelve have a signature of their own; the others say what is wrong."""


@dataclass(frozen=True)
class Action:
    """What can be done, and the command that does it."""

    sentence: str
    command: str
    """For a shell; empty where there is none."""


@dataclass(frozen=True)
class Cause:
    """A likely cause. Their order is a ranking by how much they explain, not a proof."""

    kind: CauseKind
    columns: tuple[str, ...]
    """The columns that show it, the clearest first; empty for a cause that is in no column."""
    score: float
    """What it is ranked by: importance times drift, of all columns that it explains."""
    importance: float
    """Share of the model's importance that its columns have, from 0 to 1."""
    evidence: Mapping[str, float | str]
    """The numbers behind it, by name."""
    why: str
    """In one sentence."""
    looks_like: str
    """What this cause looks like, so that a person can tell whether it is it."""
    since: float | None
    """When it began as far as the rows tell, seconds since 1970."""
    explains: tuple[str, ...] = ()
    """Other columns whose change it explains."""
    actions: tuple[Action, ...] = field(default=())
    """In order."""
