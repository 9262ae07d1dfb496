"""Ground truth beside predictions that were read, in both databases."""

from __future__ import annotations

from driftgauge.predictions.database import reading
from driftgauge.predictions.ids import key_of
from driftgauge.predictions.joined_labels import JoinedTruth, joined_labels, outcome_names
from driftgauge.predictions.label_store import LabelStore
from driftgauge.predictions.labels import LABEL, GivenLabel
from driftgauge.predictions.reader import Selection
from driftgauge.predictions.rows import MICROSECONDS
from driftgauge.predictions.store import PredictionStore

from tests.predictions.logs import NOW, model, rows

AT = NOW + 60 * MICROSECONDS


def joined(store: PredictionStore, selection: Selection) -> dict[str, JoinedTruth]:
    """Return the ground truth of predictions by id."""
    found: dict[str, JoinedTruth] = {}
    for batch in store.read(selection):
        ids = dict(zip(batch.seq.tolist(), batch.ids, strict=True))
        found |= {ids[seq]: truth for seq, truth in joined_labels(store.engine, batch).items()}
    return found


def test_labels_have_the_names_of_the_predictions_version(store: PredictionStore) -> None:
    old, new = store.register(model()), store.register(model(version="2", classes=("yes", "maybe", "no")))
    store.write([rows(old, ["a", "b"]), rows(new, ["c", "d", "e"])])
    labels = LabelStore(store.engine, new)
    given = [GivenLabel(key_of(id_), float(code), AT) for id_, code in [("a", 0), ("b", 1), ("c", 1), ("d", 2)]]
    labels.add(given, AT / MICROSECONDS)
    found = joined(store, Selection("m"))
    assert {id_: truth.label for id_, truth in found.items()} == {"a": "yes", "b": None, "c": "maybe", "d": "no"}
    assert {truth.observed for truth in found.values()} == {AT}


def test_a_label_of_a_regression_is_a_number(store: PredictionStore) -> None:
    version = store.register(model(classes=()))
    store.write([rows(version, ["a"])])
    LabelStore(store.engine, version).add([GivenLabel(key_of("a"), -1.0, AT)], AT / MICROSECONDS)
    assert joined(store, Selection("m"))["a"].label == -1.0


def test_outcomes_are_joined_by_name_and_those_of_other_models_are_not(store: PredictionStore) -> None:
    version, other = store.register(model()), store.register(model("other"))
    store.write([rows(version, ["a", "b"]), rows(other, ["a"])])
    outcomes = [GivenLabel(key_of("a"), 2.5, AT, "revenue"), GivenLabel(key_of("a"), 1.0, AT, "click")]
    LabelStore(store.engine, version).add(outcomes, AT / MICROSECONDS)
    LabelStore(store.engine, other).add([GivenLabel(key_of("a"), 1.0, AT)], AT / MICROSECONDS)
    assert joined(store, Selection("m")) == {"a": JoinedTruth(outcomes={"revenue": 2.5, "click": 1.0})}
    assert joined(store, Selection("other"))["a"].label == "yes"
    assert (store.outcomes_of("m"), store.outcomes_of("other"), store.outcomes_of("none")) == (
        ["click", "revenue"],
        [],
        [],
    )
    with reading(store.engine) as connection:
        assert outcome_names(connection, 2) == [LABEL]


def test_a_label_that_waits_belongs_to_no_prediction_yet(store: PredictionStore) -> None:
    version = store.register(model())
    labels = LabelStore(store.engine, version)
    labels.add([GivenLabel(key_of("a"), 1.0, AT)], AT / MICROSECONDS)
    store.write([rows(version, ["a"])])
    assert joined(store, Selection("m")) == {}
    labels.settle(AT / MICROSECONDS, 60.0)
    assert joined(store, Selection("m"))["a"].label == "yes"


def test_a_batch_may_have_more_ids_than_a_query(store: PredictionStore) -> None:
    version = store.register(model())
    ids = [f"r{row}" for row in range(1_200)]
    store.write([rows(version, ids)])
    LabelStore(store.engine, version).add([GivenLabel(key_of(id_), 1.0, AT) for id_ in ids[::7]], AT / MICROSECONDS)
    assert set(joined(store, Selection("m"))) == set(ids[::7])
