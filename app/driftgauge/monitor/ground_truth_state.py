"""What evaluations of ground truth leave to one another, as JSON text."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Final

from driftgauge.drift.performance.outcomes import parts_json, parts_of
from driftgauge.drift.performance.report import EvidenceFacts, GroundTruth
from driftgauge.monitor.cohort_builder import CohortBuilder
from driftgauge.predictions.cohort_bytes import cohort_bytes, cohort_of, layout_digest

_VERSION: Final = 1


@dataclass(frozen=True)
class TruthState:
    """The state after an evaluation."""

    upto: float = -math.inf
    """Predictions before this time are in cohorts, seconds since 1970."""
    received: int = 0
    """Labels that arrived until then are in cohorts, microseconds since 1970."""
    pending: tuple[float, ...] = ()
    """Starts of cohorts whose labels changed and that are not counted again yet."""
    errors: str = ""
    """The evidence of concept drift, as `errors_json` writes it."""
    labels: str = ""
    """The evidence that labels changed."""
    truth: GroundTruth | None = None
    """What the report is made of; None before the first evaluation."""


def dumps(state: TruthState, builder: CohortBuilder) -> str:
    """Return the state as text."""
    truth = state.truth
    return json.dumps(
        {
            "version": _VERSION,
            "layout": layout_digest(builder.layout, builder.label_bins),
            "upto": None if math.isinf(state.upto) else state.upto,
            "received": state.received,
            "pending": state.pending,
            "errors": state.errors,
            "labels": state.labels,
            "truth": None if truth is None else _truth_json(truth),
        }
    )


def loads(text: str, builder: CohortBuilder) -> TruthState:
    """Return the state that `dumps` wrote: a new one if there is none, or rows were counted in another way.

    ValueError if it is damaged.
    """
    if not text:
        return TruthState()
    try:
        content = json.loads(text)
        if content["version"] != _VERSION or content["layout"] != layout_digest(builder.layout, builder.label_bins):
            return TruthState()
        upto = content["upto"]
        return TruthState(
            upto=-math.inf if upto is None else float(upto),
            received=int(content["received"]),
            pending=tuple(content["pending"]),
            errors=content["errors"],
            labels=content["labels"],
            truth=None if content["truth"] is None else _truth_of(content["truth"], builder),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the state of ground truth is damaged: {error!r}") from error


def _truth_json(truth: GroundTruth) -> dict[str, Any]:
    return {
        "at": truth.at,
        "matured_until": truth.matured_until,
        "windows": {name: base64.b64encode(cohort_bytes(own)).decode() for name, own in truth.windows.items()},
        "errors": None if truth.errors is None else asdict(truth.errors),
        "labels": None if truth.labels is None else asdict(truth.labels),
        "outcomes": parts_json(truth.outcomes),
        "latches": sorted(truth.latches),
    }


def _truth_of(content: dict[str, Any], builder: CohortBuilder) -> GroundTruth:
    windows = content["windows"].items()
    errors, labels = content["errors"], content["labels"]
    return GroundTruth(
        at=content["at"],
        matured_until=content["matured_until"],
        windows={name: cohort_of(base64.b64decode(own), builder.layout, builder.label_bins) for name, own in windows},
        errors=None if errors is None else EvidenceFacts(**errors),
        labels=None if labels is None else EvidenceFacts(**labels),
        outcomes=parts_of(content.get("outcomes", [])),
        latches=frozenset((metric, threshold) for metric, threshold in content.get("latches", [])),
    )
