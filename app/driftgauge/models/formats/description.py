"""What a model file says about its columns and its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftgauge.drift.bins import category_name
from driftgauge.errors import BundleError
from driftgauge.models.formats.spec import ModelSpec

if TYPE_CHECKING:
    from driftgauge.models.bundle import Input, Label


@dataclass(frozen=True)
class ModelColumn:
    """What a model says about one of its columns."""

    is_text: bool = False
    """Whether it takes texts."""
    is_categorical: bool = False
    """Whether it takes categories, even if they are spelled as numbers."""
    codes: Mapping[str, float] | None = None
    """The number that stands for each category, as the library saved them."""
    dtype: str | None = None
    """The pandas dtype of its numbers in a DataFrame; by default that of the reference."""
    takes_unseen: bool = False
    """Whether a category without a number counts as missing; else the model refuses it."""


@dataclass(frozen=True)
class Description:
    """What a model says about itself."""

    spec: ModelSpec
    columns: tuple[ModelColumn, ...]
    """Its columns in order; empty if it does not know their number."""
    input: Input
    names: tuple[str, ...] | None = None
    """Names of the columns, if it knows them."""
    class_count: int | None = 0
    """Number of classes, 0 of a regression; None if the model does not know it."""
    classes: tuple[Label, ...] = ()
    """The classes in the order of its probabilities, if it knows them."""
    may_classify: bool = False
    """Whether a model of no known classes answers probabilities if the user names classes."""


def codes_of(categories: Sequence[str | float | bool | None]) -> dict[str, float]:
    """Return the number of each category: its position in the list that the library saved."""
    return {category_name(category) or "": float(index) for index, category in enumerate(categories)}


def refuse_outputs(count: int) -> None:
    """Raise BundleError unless the model predicts one output for each row."""
    if count != 1:
        raise BundleError(
            f"the model predicts {count} outputs for each row, and a bundle has one: fit a model for each output, and "
            "make a bundle of each"
        )
