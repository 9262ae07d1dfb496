"""Options of the models that one server has: which they are, and what is different for each."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import NoDecode

from driftgauge.common.nearest import nearest
from driftgauge.common.quoting import shortened
from driftgauge.drift.bins import category_name
from driftgauge.drift.performance.counts import TASKS
from driftgauge.settings.features import LONGEST_VALUE
from driftgauge.settings.values import Folders

if TYPE_CHECKING:
    from driftgauge.settings.options import Settings

NAME: Final = re.compile(r"\.*[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
"""Names and versions that can be those of folders."""
NAMING: Final = "letters, digits, points, dashes and underscores, at most 128"


class ModelTable(BaseModel):
    """The table of one model; other keys are settings that hold for this model alone."""

    model_config = ConfigDict(extra="allow", frozen=True)

    bundle: Path | None = Field(None, description="Folder of the model bundle to serve.")
    baseline: Path | None = Field(
        None, description="Baseline of a model that is served elsewhere; it is monitored and does not predict."
    )
    task: str | None = Field(
        None,
        description="Task of a model that is served elsewhere: `binary`, `multiclass` or `regression`. With it, "
        "performance is evaluated from labels.",
    )
    classes: tuple[Any, ...] = Field(
        (),
        description="Classes of such a model in order; of two, the last is the positive one. Default: those of the "
        "baseline, else 0 and 1.",
    )
    version: str | None = Field(None, description="Version of the model. Default: that of the bundle, else `1`.")

    @property
    def own(self) -> Mapping[str, Any]:
        """The settings of this model."""
        return self.model_extra or {}


class ModelsSettings(BaseModel):
    """Several models in one server."""

    bundles: Folders = Field(
        (), description="Folders of several bundles to serve, separated by commas (`--bundle A --bundle B`)."
    )
    models: Annotated[dict[str, ModelTable], NoDecode] = Field(
        {},
        description="Models with options of their own, each in a table `[models.NAME]` of the file (see "
        "docs/several-models.md); in the environment as JSON.",
    )
    max_models: int = Field(20, ge=1, le=1_000, description="Maximum number of models; more are refused.")

    @field_validator("models", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        """Return the tables by name; `[[models]]` with a name in each is accepted too."""
        if isinstance(value, str):
            try:
                value = json.loads(value) if value.strip() else {}
            except (ValueError, RecursionError) as error:
                example = '{"churn": {"bundle": "bundles/churn"}}'
                raise ValueError(f"{shortened(repr(value), LONGEST_VALUE)} is not JSON: give e.g. {example}") from error
        return _named(value) if isinstance(value, list) else value

    @field_validator("models")
    @classmethod
    def _usable(cls, value: dict[str, ModelTable]) -> dict[str, ModelTable]:
        for name, table in value.items():
            if not NAME.fullmatch(name):
                raise ValueError(f"{shortened(repr(name))} cannot be a model's name: give {NAMING}")
            if (table.bundle is None) == (table.baseline is None):
                raise ValueError(f"{name}: give either its bundle, or the baseline of a model that is served elsewhere")
            _require_task(name, table)
            if table.version is not None and not NAME.fullmatch(table.version):
                raise ValueError(f"{name}: {shortened(repr(table.version))} cannot be a version: give {NAMING}")
        return value


def _require_task(name: str, table: ModelTable) -> None:
    """Raise ValueError for a task or classes that a model cannot have."""
    if table.task is None and not table.classes:
        return
    if table.baseline is None:
        raise ValueError(f"{name}: the bundle says its task and classes: leave them out")
    if table.task not in TASKS:
        task = table.task
        said = "needs its task beside its classes" if task is None else f"cannot have the task {shortened(task)}"
        raise ValueError(f"{name} {said}: give {', '.join(TASKS[:-1])} or {TASKS[-1]}")
    if not all(isinstance(label, str | int | float) and label == label for label in table.classes):
        raise ValueError(f"{name}: classes must be texts, numbers, or true and false")
    count = len(set(map(category_name, table.classes)))
    if count != len(table.classes):
        raise ValueError(f"{name}: two of its classes have the same name")
    if table.task == TASKS[-1] and count:
        raise ValueError(f"{name}: a regression has no classes: leave them out")
    if table.task == TASKS[0] and count not in (0, 2):
        raise ValueError(f"{name}: a binary model has two classes, the positive one last; there are {count}")
    if count == 1:
        raise ValueError(f"{name}: give all of its classes; there is 1")


def _named(tables: Sequence[object]) -> dict[str, Any]:
    """Return the tables of an array by their names. Raises ValueError."""
    found: dict[str, Any] = {}
    for table in tables:
        name = table.get("name") if isinstance(table, dict) else None
        if not isinstance(table, dict) or not isinstance(name, str):
            raise ValueError('each [[models]] needs a name, e.g. name = "churn"')
        if name in found:
            raise ValueError(f"there are two models named {shortened(name)}: give each its own name")
        found[name] = {key: value for key, value in table.items() if key != "name"}
    return found


@dataclass(frozen=True)
class ModelSource:
    """Where a model comes from, and the options that hold for it."""

    settings: Settings
    bundle: Path | None
    baseline: Path | None = None
    name: str | None = None
    """Its name in place of the bundle's own."""
    version: str | None = None
    task: str | None = None
    """The task of a model that is served elsewhere; None where it is not known."""
    classes: Sequence[str | int | float | bool] = ()
    """Its classes in order; empty where they are not given."""

    @property
    def label(self) -> str:
        """What it is called before it is read."""
        return self.name or (self.bundle.resolve().name if self.bundle else "model")


def too_many_models(count: int, most: int) -> str:
    """Return what is wrong with more models than there may be."""
    return f"{count} models are more than max_models = {most}: leave out some, or raise it"


def sentence(problem: Mapping[str, Any]) -> str:
    """Return what is wrong with a model's table, from what pydantic refused."""
    path = [str(part) for part in problem["loc"]]
    wanted = "a table, e.g. [models.churn] with a bundle" if len(path) < 3 else "text"
    if path[2:3] == ["classes"]:
        wanted = 'a list, e.g. ["in time", "late"]'
    return f"{'.'.join(path)}: {shortened(repr(problem['input']), LONGEST_VALUE)} cannot be used: give {wanted}"


def refuse_unknown(name: str, own: Mapping[str, Any], settings: Collection[str], known: Collection[str]) -> None:
    """Raise ValueError for a key of a model's table that is no setting of a model; `settings` are all there are."""
    for key in own:
        if key in known:
            continue
        if key in settings:
            raise ValueError(f"models.{name}: {key} is a setting of the whole server: give it outside the table")
        like = nearest(key, [*ModelTable.model_fields, *known])
        raise ValueError(
            f"models.{name}: unknown key {shortened(key)}"
            + (f"; did you mean {like}?" if like else "; docs/several-models.md lists all of them")
        )
