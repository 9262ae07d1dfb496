"""What can be done about each kind of cause, with the command for it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Final

from driftgauge.drift.diagnosis.causes import Action, CauseKind
from driftgauge.drift.diagnosis.facts import Facts

MOST_COLUMNS: Final = 4
"""Columns that a command names."""
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~")
_Maker = Callable[[Facts, tuple[str, ...]], Action | None]


def actions_for(kind: CauseKind, facts: Facts, columns: tuple[str, ...]) -> tuple[Action, ...]:
    """Return what can be done, in order; a rollback only where there is an earlier version."""
    made = [make(facts, columns) for make in _BY_KIND[kind]]
    return tuple(own for own in made if own is not None)


def _look(facts: Facts, columns: tuple[str, ...]) -> Action:
    named = "".join(f"&feature={_quoted(own)}" for own in columns[:MOST_COLUMNS])  # a name may have a comma
    asked = f"model={_quoted(facts.model_name)}{named}"
    return Action("Look at the statistics of these columns.", _curl(facts, f"/drift/status?{asked}"))


def _rows(facts: Facts, columns: tuple[str, ...]) -> Action:
    command = f"driftgauge log export --model {shlex.quote(facts.model_name)} --since 1h --out rows.parquet"
    command += f" --state-dir {shlex.quote(facts.state_folder or 'STATE')}"
    return Action("Look at the newest rows, if predictions are logged.", command)


def _source(facts: Facts, columns: tuple[str, ...]) -> Action:
    named = ", ".join(columns) or "the rows"
    return Action(f"Ask the sender of {named} what changed. Correct it there: retraining would learn the error.", "")


def _rollback(facts: Facts, columns: tuple[str, ...]) -> Action | None:
    if facts.earlier_version is None:
        return None
    command = (
        f"driftgauge models rollback {shlex.quote(facts.model_name)} "
        f"--version {shlex.quote(facts.earlier_version)} --reason 'see the diagnosis'"
    )
    return Action(f"Let version {facts.earlier_version} answer again.", command + _at(facts))


def _versions(facts: Facts, columns: tuple[str, ...]) -> Action:
    command = f"driftgauge models list {shlex.quote(facts.model_name)}"
    sentence = "Look whether a version was released at that time."
    return Action(sentence, command + _at(facts) if facts.replaces_versions else "")


def _retrain(facts: Facts, columns: tuple[str, ...]) -> Action:
    command = f"driftgauge models load {shlex.quote(facts.model_name)} FOLDER --shadow --reason 'retrained'"
    sentence = "Train the model on newer rows, and try it beside the live version."
    return Action(sentence, command + _at(facts) if facts.replaces_versions else "")


def _performance(facts: Facts, columns: tuple[str, ...]) -> Action:
    return Action("Look at the performance.", _curl(facts, f"/performance?model={_quoted(facts.model_name)}"))


def _metrics(facts: Facts, columns: tuple[str, ...]) -> Action:
    return Action("Look at the metrics of the server.", _curl(facts, "/metrics"))


def _learn(facts: Facts, columns: tuple[str, ...]) -> Action:
    command = f"driftgauge baseline learn {shlex.quote(facts.bundle or 'BUNDLE')}"
    command += f" --model {shlex.quote(facts.model_name)} --state-dir {shlex.quote(facts.state_folder or 'STATE')}"
    return Action("If the change is wanted and the model performs well, make a baseline of the newer rows.", command)


def _quoted(name: str) -> str:
    """Return a name as a part of an address; `urllib` belongs to the network, which is not for pure code."""
    return "".join(chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in name.encode())


def _curl(facts: Facts, path: str) -> str:
    """Return the command that asks the server; empty in a library, which has none."""
    if facts.server_url is None:
        return ""
    token = ' -H "Authorization: Bearer $TOKEN"' if facts.needs_token else ""
    return f"curl -s{token} {shlex.quote(facts.server_url.rstrip('/') + path)}"


def _at(facts: Facts) -> str:
    return "" if facts.server_url is None else f" --url {shlex.quote(facts.server_url)}"


_OF_SOURCE: Final = (_source, _look, _rows)
_OF_WORLD: Final = (_look, _performance, _retrain, _learn)
_OF_SERVER: Final = (_metrics, _versions, _rollback)
_BY_KIND: Final[Mapping[CauseKind, tuple[_Maker, ...]]] = {
    "unit_change": _OF_SOURCE,
    "scaled_feature": _OF_SOURCE,
    "stuck_sensor": _OF_SOURCE,
    "swapped_columns": _OF_SOURCE,
    "new_category": (_look, _rows, _retrain),
    "missing_upstream": _OF_SOURCE,
    "time_zone_shift": _OF_SOURCE,
    "label_shift": (_performance, _look, _retrain),
    "concept_drift": (_performance, _rollback, _retrain),
    "slow_model": _OF_SERVER,
    "constant_answers": (_versions, _rollback, _look),
    "traffic_mix": _OF_WORLD,
    "column_drift": _OF_WORLD,
    "score_drift": (_versions, _rollback, _look),
    "constraint_violation": (_source, _rows),
    "performance_drop": (_performance, _rollback, _retrain),
    "server_errors": _OF_SERVER,
    "rows_lost": (_metrics,),
    "no_rows": (_metrics,),
    "monitoring_problem": (_metrics,),
}
