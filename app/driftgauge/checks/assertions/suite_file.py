"""Files of suites: assertions in YAML, with their lines for messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from driftgauge.checks.assertions.suite import SEVERITIES, Assertion, AssertionSeverity, Suite, SuiteError, assertion_of
from driftgauge.checks.assertions.truth import TruthColumns
from driftgauge.common.nearest import nearest
from driftgauge.common.quoting import listed, shortened

TRUTH: Final = ("label", "prediction", "score", "positive")
KEYS: Final = ("name", "description", *TRUTH, "assertions")
"""Keys of a file."""
ASSERTION_KEYS: Final = ("assert", "name", "severity", "description")
"""Keys of an assertion that is more than a text."""


def read_suite(path: Path) -> Suite:
    """Return the suite of a file; SuiteError has a line for each problem, with its place in the file."""
    try:
        root = yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise SuiteError([f"cannot read the suite {path}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise SuiteError([f"cannot read the suite {path}: it is not UTF-8"]) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "it has a character that YAML does not allow"
        raise SuiteError([f"{path}:{mark.line + 1 if mark else 1}: this is not valid YAML: {what}"]) from error
    return _Reader(path).suite(root)


@dataclass(frozen=True)
class _Text:
    value: str
    line: int


class _Reader:
    """Reads the nodes of a file and collects its problems."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._problems: list[str] = []

    def suite(self, root: yaml.Node | None) -> Suite:
        if not isinstance(root, yaml.MappingNode):
            self._problem(root, "write a mapping with a list of assertions: `assertions:`")
            raise SuiteError(self._problems)
        nodes = self._mapping(root, KEYS)
        texts = {key: self._text(node, key) for key, node in nodes.items() if key != "assertions"}
        assertions = tuple(self._assertions(nodes.get("assertions"), root))
        known = {key: text.value for key, text in texts.items() if text is not None}
        truth = TruthColumns(**{key: known[key] for key in TRUTH if key in known})
        found = Suite(assertions, known.get("name", self._path.stem), truth)
        if self._problems:
            raise SuiteError(self._problems, found)
        return found

    def _assertions(self, node: yaml.Node | None, root: yaml.Node) -> Iterator[Assertion]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._problem(node or root, "assertions: write a list with at least one assertion, each after a dash")
            return
        for own in node.value:
            found = self._assertion(own)
            if found is not None:
                yield found

    def _assertion(self, node: yaml.Node) -> Assertion | None:
        if isinstance(node, yaml.ScalarNode):
            text = self._text(node, "an assertion")
            return None if text is None else self._parsed(text, {})
        if not isinstance(node, yaml.MappingNode):
            self._problem(node, "write an assertion as a text, or as a mapping with `assert:`")
            return None
        found = {key: self._text(own, key) for key, own in self._mapping(node, ASSERTION_KEYS).items()}
        severity = found.get("severity")
        if severity is not None and severity.value not in SEVERITIES:
            self._problem_at(severity.line, f"severity: write {' or '.join(SEVERITIES)}, not {severity.value}")
            return None
        text = found.pop("assert", None)
        if text is None:
            self._problem(node, "an assertion needs `assert:`")
            return None
        return self._parsed(text, {key: own.value for key, own in found.items() if own is not None})

    def _parsed(self, text: _Text, more: Mapping[str, str]) -> Assertion | None:
        try:
            return assertion_of(
                text.value,
                name=more.get("name", ""),
                severity=cast("AssertionSeverity", more.get("severity", "critical")),
                description=more.get("description", ""),
                file=str(self._path),
                line=text.line,
            )
        except SuiteError as error:
            self._problems += error.problems
            return None

    def _mapping(self, node: yaml.MappingNode, known: tuple[str, ...]) -> dict[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                like = nearest(name, known)
                advice = f"did you mean {like}?" if like else f"there is {listed(known)}"
                self._problem(key, f"there is no key {shortened(name) or 'of this kind'}; {advice}")
            elif name in found:
                self._problem(key, f"{name} is given twice")
            else:
                found[name] = value
        return found

    def _text(self, node: yaml.Node, key: str) -> _Text | None:
        if not isinstance(node, yaml.ScalarNode) or not node.value.strip():
            self._problem(node, f"{key}: write a text")
            return None
        return _Text(str(node.value), self._line(node))

    def _line(self, node: Any) -> int:
        return 1 if node is None else int(node.start_mark.line) + 1

    def _problem(self, node: Any, message: str) -> None:
        self._problem_at(self._line(node), message)

    def _problem_at(self, line: int, message: str) -> None:
        self._problems.append(f"{self._path}:{line}: {message}")
