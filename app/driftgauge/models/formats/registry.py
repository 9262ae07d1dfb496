"""The formats by their names; each module, and the library behind it, is imported when a model needs it."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from driftgauge.errors import BundleError
from driftgauge.models.formats.spec import FormatName, ModelSpec

if TYPE_CHECKING:
    from driftgauge.models.bundle import BundleInfo
    from driftgauge.models.formats.answer import Model

LIBRARIES: Final[dict[FormatName, str]] = {}
"""The module that a format needs beyond Driftgauge's own dependencies; its extra has the format's name."""


class Format(Protocol):
    """What the module of a format offers."""

    def load(self, folder: Path, spec: ModelSpec, trusted: Iterable[str]) -> Any:
        """Load the library's own object from a folder; BundleError if that is not possible.

        `trusted` names what the operator trusts beyond the format's own rules.
        """

    def adapted(self, model: Any, info: BundleInfo) -> Model:
        """Return the adapter of a loaded object."""


def format_of(name: FormatName) -> Format:
    """Return a format; BundleError names the extra that is not installed."""
    needed = LIBRARIES.get(name)
    if needed is not None and find_spec(needed) is None:
        raise BundleError(f"the model needs {needed}, which is not installed: pip install 'driftgauge[{name}]'")
    from driftgauge.models.formats import sklearn

    return sklearn
