"""A diagnosis as the page shows it."""

from __future__ import annotations

import math
from dataclasses import replace

from driftgauge.drift.attribution.partial_dependence import PartialDependence, Point
from driftgauge.drift.diagnosis.causes import Action, Cause
from driftgauge.drift.diagnosis.diagnosis import Diagnosis
from driftgauge.drift.diagnosis.steps import Step

AT = 1_700_000_000.0
UNIT = Cause(
    kind="unit_change",
    columns=("temp <i>",),
    score=3.14,
    importance=0.42,
    evidence={"factor": 1.8, "unit": "°F as °C", "offset": math.nan},
    why="temp is 1.8 times the reference's.",
    looks_like="All values are the usual ones times one factor.",
    since=AT - 7_200.0,
    explains=("wind",),
    actions=(Action("Look at it.", "curl -s 'http://h/drift/status?feature=temp'"), Action("Ask who sends temp.", "")),
)
STEPS = (
    Step("data_quality", "unknown", "The model has no constraints.", ()),
    Step("drift", "wrong", "temp has drifted.", ("8 features", "1,000 rows")),
    Step("prediction", "fine", "No significant change.", ("2 answers",)),
    Step("ground_truth", "unknown", "No ground truth is known.", ()),
    Step("system", "fine", "Nothing is wrong with the server.", ("errors",)),
)
WRONG = Diagnosis("wrong", UNIT.why, AT, UNIT.since, (UNIT, replace(UNIT, kind="column_drift")), STEPS, ("A note.",))
RIGHT = Diagnosis("nothing_wrong", "Nothing is wrong.", AT, None, (), STEPS[2:])
NUMBERS = PartialDependence(
    "temp",
    "numeric",
    tuple(Point(value, None, is_new=value > 30.0) for value in (10.0, 20.0, 30.0, 50.0, 90.0)),
    (0.2, 0.25, 0.3, 0.5, 0.9),
    (0.1,) * 5,
    200,
)
CATEGORIES = PartialDependence(
    "city",
    "categorical",
    (Point(0.0, "north", is_new=False), Point(1.0, "<b>", is_new=True), Point(math.nan, None, is_new=True)),
    (0.2, 0.2, 0.2),
    (0.0,) * 3,
    20,
)
