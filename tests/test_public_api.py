"""What `import driftgauge` offers."""

from __future__ import annotations

import ast
import doctest
import re
import subprocess
import sys
from pathlib import Path

import driftgauge
import pytest

from tests.pages import page


def test_importing_driftgauge_loads_nothing_but_itself() -> None:
    code = "import sys; before = set(sys.modules); import driftgauge; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name for name in done.stdout.split() if name.partition(".")[0] not in sys.stdlib_module_names}
    assert loaded == {"driftgauge"}


@pytest.mark.parametrize("name", driftgauge.__all__)
def test_every_public_name_is_there(name: str) -> None:
    found = getattr(driftgauge, name)
    if name != "__version__":
        assert found.__name__ == name
        assert found.__doc__


def test_type_checkers_see_the_names_that_there_are() -> None:
    source = ast.parse(Path(driftgauge.__file__).read_text("utf-8"))
    checked = next(node for node in source.body if isinstance(node, ast.If))
    names = [alias.name for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert {*names, "__version__"} == set(driftgauge.__all__)
    assert dir(driftgauge) == sorted(driftgauge.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'driftgauge' has no attribute 'create_model'"):
        getattr(driftgauge, "create_model")  # noqa: B009  # a type checker would refuse the plain attribute


def test_submodules_are_reached_without_the_public_names() -> None:
    code = "import driftgauge.errors; print('numpy' in __import__('sys').modules, driftgauge.DriftgaugeError.__name__)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "DriftgaugeError"]


@pytest.mark.parametrize("module", ["driftgauge.models.bundle", "driftgauge.cli.bundle", "driftgauge.cli.baseline"])
def test_what_reads_no_model_loads_none_of_its_libraries(module: str) -> None:
    code = f"import sys, {module}; print(*{{'sklearn', 'skops', 'scipy.stats', 'pandas'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_the_page_of_python_has_every_public_name() -> None:
    named = re.findall(r"^### (\w+)$", page("docs", "python.md"), flags=re.MULTILINE)
    assert sorted([*named, "__version__"]) == sorted(driftgauge.__all__)


def test_the_page_of_python_explains_every_field() -> None:
    assert re.findall(r"^\| `(\w+)` \| *\|$", page("docs", "python.md"), flags=re.MULTILINE) == []


EXAMPLES = ("create_bundle", "load_bundle", "create_baseline", "About", "Monitor", "instrument", "check", "suite")
"""Public names whose documentation has examples; some of them continue the one before."""


def test_the_examples_of_the_public_names_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner(verbose=False)
    for name in EXAMPLES:
        examples = [test for test in finder.find(getattr(driftgauge, name), name, globs={}) if test.examples]
        assert examples, name
        for example in examples:
            assert runner.run(example).failed == 0, example.name
