"""Reading YAML node by node, so that each error names its line and column."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import yaml

from driftgauge.common.nearest import nearest

Made = TypeVar("Made")


class YamlReader:
    """Reads the nodes of one file; keeps each error with its line and column."""

    def __init__(self, source: str) -> None:
        """Name the file as messages have it."""
        self.errors: list[str] = []
        self._source = source

    def root(self, text: str) -> yaml.Node | None:
        """Return the node of a whole text; None, and an error, where it is empty or not YAML."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except RecursionError:
            self.errors.append(f"{self._source}: lists are nested too deeply")
            return None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = "" if mark is None else f", line {mark.line + 1}, column {mark.column + 1}"
            self.errors.append(f"{self._source}{where}: {error.problem or error.context}")
            return None
        except yaml.YAMLError as error:
            self.errors.append(f"{self._source} is not YAML: {error}")
            return None
        if node is None:
            self.errors.append(f"{self._source} is empty")
        return node

    def made(self, make: Callable[[], Made], node: yaml.Node, problem: type[Exception]) -> Made | None:
        """Return what a function makes; None, and an error at the node, where it raises this problem."""
        try:
            return make()
        except problem as error:
            self.wrong(node, str(error))
        return None

    def mapping(self, node: yaml.Node, what: str, known: Sequence[str] | None) -> dict[str, yaml.Node]:
        """Return the parts of a mapping by their keys; each key is a text, and one of those known, if these are."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, f"{what}: keys with values are needed, such as `type: integral`")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, part in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.wrong(key, f"{what}: a key is a name, not a list")
            elif known is not None and key.value not in known:
                self.wrong(key, f"{what}: {key.value!r} is not known{_meant(key.value, known)}")
            elif key.value in found:
                self.wrong(key, f"{what}: {key.value!r} is given twice; remove one of them")
            else:
                found[key.value] = part
        return found

    def texts(self, node: yaml.Node, what: str) -> list[str]:
        """Return a list of texts as they are spelt: NO is NO, and 1.0 is 1.0."""
        if not isinstance(node, yaml.SequenceNode) or not all(isinstance(part, yaml.ScalarNode) for part in node.value):
            self.wrong(node, f"{what}: a list is needed, such as [a, b]")
            return []
        return [part.value for part in node.value]

    def share(self, node: yaml.Node, what: str) -> float:
        """Return a share of rows, from 0 to 1; 0 after an error."""
        share = self.real(node, what)
        if not 0.0 <= share <= 1.0:
            self.wrong(node, f"{what}: {share:g} is not a share of rows; give a number from 0 to 1")
            return 0.0
        return share

    def real(self, node: yaml.Node, what: str) -> float:
        """Return a finite number; 0 after an error."""
        text = self.text(node, what)
        try:
            number = math.nan if text is None else float(text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            if text is not None:
                self.wrong(node, f"{what}: {text!r} is not a number")
            return 0.0
        return number

    def whole(self, node: yaml.Node, what: str) -> int | None:
        """Return a whole number from 0; None after an error."""
        text = self.text(node, what)
        if text is not None and not text.isdecimal():
            self.wrong(node, f"{what}: {text!r} is not a whole number")
            return None
        return None if text is None else int(text)

    def flag(self, node: yaml.Node, what: str) -> bool:
        """Return true or false; false after an error."""
        text = self.text(node, what)
        if text is not None and text.lower() not in ("true", "false"):
            self.wrong(node, f"{what}: {text!r} is neither true nor false")
        return text is not None and text.lower() == "true"

    def text(self, node: yaml.Node, what: str) -> str | None:
        """Return the text of a single value, as it is spelt; None after an error."""
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.wrong(node, f"{what}: one value is needed, not a list")
        return None

    def wrong(self, node: yaml.Node, why: str) -> None:
        """Keep an error of a node."""
        mark = node.start_mark
        self.errors.append(f"{self._source}, line {mark.line + 1}, column {mark.column + 1}: {why}")


def _meant(name: str, known: Sequence[str]) -> str:
    meant = nearest(name, known)
    return f": did you mean {meant!r}?" if meant else f"; known are {', '.join(known)}"
