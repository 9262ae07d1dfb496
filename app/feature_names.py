"""Which columns of a table an estimator takes: by its own names, a step's, the user's, or all beside the target."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import BundleError
from app.fitted import takes_text_alone

_SHOWN: Final = 20
_INNER: Final = ("best_estimator_", "estimator_", "regressor_", "estimator")
"""Where an estimator keeps the one that it is made around."""


@dataclass(frozen=True)
class Names:
    """The features' names in the order that the estimator takes them."""

    names: tuple[str, ...]
    source: str
    """Where they are from, as the end of a sentence."""
    as_frame: bool = False
    """Whether the estimator was fitted on a DataFrame and its first step may need one, though it keeps no names."""


def names_of(model: Any, columns: Sequence[str], left_out: Sequence[str], asked: Sequence[str] = ()) -> Names:
    """Find the features among a table's columns; `left_out` are none, `asked` are the user's own words.

    Raises BundleError where the estimator does not say what it was fitted on, or says otherwise.
    """
    beside = [name for name in columns if name not in left_out]
    own = _own(model, columns)
    if asked:
        names = split_names(asked, columns)
        return _asked(names, own, as_frame=next(_later(model, columns), None) is not None)
    if own is not None:
        return Names(own, "by the estimator's own names")
    later = next(_later(model, columns), None)
    if later is not None and set(later.names) <= set(beside):
        return later
    if not hasattr(model, "n_features_in_") and not takes_text_alone(model):
        raise BundleError(
            "the estimator does not say which columns it was fitted on: name them in their order, --features "
            f"{_joined(beside)} (the option can be repeated); beside the target the reference has these columns"
        )
    return Names(tuple(beside), "all columns beside the target, in the table's order")


def trained_names(model: Any) -> list[str]:
    """Return the names that the estimator or its first step with names was fitted on; none where no step has any."""
    own = _own(model, ())
    later = next(_later(model, ()), None) if own is None else None
    return list(own or (later.names if later else ()))


def split_names(texts: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return the columns that options name: each text is one column, or several between commas.

    A name that holds a comma is written alone, or in double quotes.
    """
    found: list[str] = []
    for text in texts:
        parts = (
            [text] if text in columns else [part.strip() for part in next(csv.reader([text], skipinitialspace=True))]
        )
        found += [part for part in parts if part]
    return found


def not_taken(columns: Sequence[str], names: Sequence[str], reasons: dict[str, str]) -> str:
    """Return the columns that are no features, each with its reason if it has one."""
    others = [f"{name} ({reasons[name]})" if name in reasons else name for name in columns if name not in names]
    return shortened(others)


def shortened(names: Sequence[str]) -> str:
    """Return a list of names as a message can hold it."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _asked(names: Sequence[str], own: tuple[str, ...] | None, *, as_frame: bool) -> Names:
    twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if twice is not None:
        raise BundleError(f"--features names {twice} twice")
    if own is None:
        return Names(tuple(names), "as --features names them", as_frame=as_frame)
    if set(own) != set(names):
        raise BundleError(
            f"the estimator was fitted on {shortened(own)}, --features names {shortened(names)}: "
            "leave the option out, or name the same columns"
        )
    return Names(own, "by the estimator's own names")


def _own(model: Any, columns: Sequence[str]) -> tuple[str, ...] | None:
    found = getattr(model, "feature_names_in_", None)
    if found is None:
        return None
    # LightGBM writes an underscore for a space.
    spelled = {name.replace(" ", "_"): name for name in columns if " " in name}
    return tuple(name if name in columns else spelled.get(name, name) for name in map(str, found))


def _later(model: Any, columns: Sequence[str]) -> Iterator[Names]:
    """Yield the names that inner steps were fitted on, in the order in which a row comes to them."""
    for step, inner in getattr(model, "steps", None) or ():
        own = _own(inner, columns)
        if own is not None:
            yield Names(own, f"by the names that its step {step} was fitted on", as_frame=True)
        else:
            yield from _later(inner, columns)
    for attribute in _INNER:
        inner = getattr(model, attribute, None)
        if hasattr(inner, "fit"):
            yield from _later(inner, columns)


def _joined(names: Sequence[str]) -> str:
    """Return names as the option takes them."""
    return ",".join(f'"{name}"' if "," in name else name for name in names)
