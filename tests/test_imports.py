"""Packages import only packages that stand before them: the table below is the whole map."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

import driftgauge
import pytest

ROOT: Final = Path(__file__).parents[1] / "app"
MAP: Final = ROOT.parent / "docs" / "architecture.md"

PACKAGES: Final[dict[str, str]] = {
    "errors": "",
    "common": "errors",
    "access": "common errors",
    "about": "common errors",
    "drift": "about errors",
    "settings": "common errors drift",
    "shutdown": "",
    "tables": "common errors drift",
    "engines": "common errors drift tables",
    "models": "about common errors drift tables",
    "models.creation": "about common errors drift tables engines models",
    "metrics.series": "errors",
    "metrics.server_series": "errors metrics.series",
    "metrics.counters": "common drift metrics.series",
    "metrics": "drift errors metrics.series metrics.server_series",
    "state": "common errors drift metrics.series metrics.server_series metrics.counters",
    "predictions": "common errors drift",
    "monitor": "common errors drift metrics.series metrics.server_series predictions state",
    "ingestion": "common errors drift metrics.series predictions state monitor",
    "serving": "common errors drift metrics.series models monitor",
    "releases": "common errors",
    "actions": "common errors settings",
    "registry": "common errors models releases",
    "alerting": "common errors drift settings metrics.series metrics.server_series",
    "notifications": "common errors settings alerting",
    "replicas": "common errors",
    "telemetry": "common errors metrics.series metrics.server_series metrics",
    "edges.formats": "actions common errors drift models serving predictions ingestion",
    "checks": "common errors drift tables engines models edges.formats",
    "edges.web": "common drift metrics.series",
    "edges.http": "access about actions common errors drift settings shutdown models metrics.series "
    "metrics.server_series metrics.counters metrics predictions state monitor ingestion serving releases registry "
    "alerting edges.formats edges.web",
    "edges.kafka": "common errors drift metrics.series metrics state predictions monitor ingestion",
    "edges.files": "common errors drift state predictions ingestion edges.formats",
    "composition": "actions common errors drift settings models metrics.series metrics predictions state monitor "
    "ingestion serving releases registry notifications telemetry edges.formats edges.http edges.kafka edges.files",
    "main": "errors settings shutdown models monitor serving releases edges.http composition",
    "library": "common errors drift settings metrics metrics.series models checks monitor edges.formats "
    "edges.http "
    "composition",
    "process": "common errors drift settings shutdown models state registry edges.http edges.kafka edges.files "
    "composition main",
    "demo": "about errors drift settings models models.creation alerting",
    "cli": "access about common errors drift settings tables engines models models.creation checks state predictions "
    "registry alerting notifications replicas edges.web edges.files process demo",
    "__main__": "cli",
}
"""What each package may import, in an order in which each comes after all that it imports.

`driftgauge` itself is open to all for its version alone.
"""

PUBLIC: Final = "about drift errors models models.creation checks library"
"""Packages whose names `driftgauge` itself offers to users: it imports them for type checkers, and on first use."""

OUTSIDE: Final[dict[str, str]] = {
    "prometheus_client": "metrics library telemetry",
    "opentelemetry": "telemetry",
    "fastapi": "edges.http main process",
    "starlette": "edges.http composition library main process",
    "uvicorn": "edges.http process",
    "sklearn": "models models.creation demo",
    "skops": "models models.creation",
    "confluent_kafka": "edges.kafka",
    "fsspec": "edges.files engines",
    "ibis": "checks engines",
    "pyspark": "engines",
    "datasketches": "checks",
    "evidently": "checks",
    **dict.fromkeys(("onnxruntime", "xgboost", "lightgbm", "catboost"), "models"),
    "mlflow": "models registry",
    "pyarrow": "tables engines models models.creation predictions checks edges.files edges.formats cli",
    "jinja2": "edges.web",
    "sqlalchemy": "predictions",
    "promql_parser": "notifications",
    "typer": "cli",
    "fcntl": "common",
    "mmap": "state",
}
"""Libraries that some packages alone may import."""

IMPURE: Final = {
    *("asyncio", "datetime", "fcntl", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "random", "secrets"),
    *("shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "uuid"),
}
"""The parts of the standard library that `drift` may not import: clocks, files, networks, threads, chance."""


def package_of(module: str) -> str:
    """Return the package in the table that holds a module; an empty text for `driftgauge` itself."""
    inside = module.removeprefix("driftgauge").lstrip(".")
    two = ".".join(inside.split(".")[:2])
    return two if two in PACKAGES else inside.split(".")[0]


def is_pure(module: str) -> bool:
    """Return whether the statistics may import a module from outside."""
    top = module.partition(".")[0]
    return top in {"numpy", "scipy"} or (top in sys.stdlib_module_names and top not in IMPURE)


def imported(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield every imported name, wherever the import stands: `from a import b` is `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def violation(importer: str, name: str) -> str | None:
    """Return what is wrong with a package importing a name, if anything is."""
    top = name.partition(".")[0]
    if top == "driftgauge":
        package = package_of(name)
        known = package in PACKAGES  # a name of `driftgauge` itself is not
        allowed = (PACKAGES[importer] if importer else PUBLIC).split()
        wrong = package not in {importer, *allowed} if known else package not in {"", "edges", "__version__"}
    else:
        wrong = top in OUTSIDE and importer not in OUTSIDE[top].split()
        wrong = wrong or (importer == "drift" and not is_pure(name))
    return f"{importer} may not import {name}" if wrong else None


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return a sentence for each forbidden import of a module."""
    names = sorted(set(imported(source, module, is_package=is_package)))
    return [found for name in names if (found := violation(package_of(module), name))]


def at_once(nodes: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported: none of functions, none for type checkers."""
    for node in nodes:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from at_once(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in ("body", "orelse", "finalbody", "handlers"):
                yield from at_once(getattr(node, part, ()))


def loaded_first(source: str, module: str, known: Collection[str]) -> set[str]:
    """Return the modules that have to be complete before a module is; its own packages do not."""
    names = {
        name
        for node in at_once(ast.parse(source).body)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imported(ast.unparse(node), module)
    }
    parts = [name.split(".") for name in names]
    above = {".".join(own[:end]) for own in parts for end in range(1, len(own) + 1)}
    return {name for name in above if name in known and not f"{module}.".startswith(f"{name}.")}


def modules() -> dict[str, Path]:
    """Return every module of the program by its dotted name."""
    paths = sorted((ROOT / "driftgauge").rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def test_the_table_is_a_directed_graph() -> None:
    earlier: set[str] = set()
    for package, allowed in PACKAGES.items():
        assert set(allowed.split()) <= earlier, package
        earlier.add(package)


def test_every_module_has_its_package_and_every_package_its_modules() -> None:
    found = {package_of(module) for module in modules()}
    assert found - {"", "edges"} == set(PACKAGES)
    assert [path.name for path in ROOT.iterdir() if path.name != "__pycache__"] == ["driftgauge"]


@pytest.mark.parametrize("text", [driftgauge.__doc__, MAP.read_text("utf-8")], ids=["docstring", "architecture"])
def test_the_maps_name_every_package(text: str) -> None:
    packages = {package.partition(".")[0] for package in PACKAGES} - {"__main__"}
    assert {package for package in packages if f"`{package}" not in text} == set()


def test_every_package_says_what_it_is() -> None:
    silent = [
        path
        for path in (ROOT / "driftgauge").rglob("__init__.py")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_every_arrow_of_the_table_is_used() -> None:
    used: dict[str, set[str]] = {package: set() for package in PACKAGES}
    for module, path in modules().items():
        names = imported(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")
        used.setdefault(package_of(module), set()).update(
            package_of(name) for name in names if name.startswith("driftgauge.")
        )
    unused = {package: set(allowed.split()) - used[package] for package, allowed in PACKAGES.items()}
    assert {package: names for package, names in unused.items() if names} == {}
    assert used[""] == set(PUBLIC.split())


@pytest.mark.parametrize("module", modules())
def test_imports_follow_the_table(module: str) -> None:
    path = modules()[module]
    if package_of(module) in PACKAGES:
        assert violations(path.read_text("utf-8"), module, is_package=path.name == "__init__.py") == []
    elif module == "driftgauge":
        assert violations(path.read_text("utf-8"), module, is_package=True) == []
    else:  # `edges` holds a docstring, and imports nothing
        assert list(imported(path.read_text("utf-8"), module)) == []


def test_every_module_can_be_the_first_to_be_imported() -> None:
    own = modules()
    graph = {module: loaded_first(path.read_text("utf-8"), module, own) for module, path in own.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the modules of a circle


def test_a_circle_of_imports_is_found_through_the_package_of_a_module() -> None:
    known = {"driftgauge.a", "driftgauge.a.one", "driftgauge.b"}
    assert loaded_first("from driftgauge.a.one import x", "driftgauge.b", known) == {"driftgauge.a", "driftgauge.a.one"}
    assert loaded_first("from driftgauge.a.one import x", "driftgauge.a", known) == {"driftgauge.a.one"}
    later = "if TYPE_CHECKING:\n    import driftgauge.a\ndef f():\n    import driftgauge.a"
    assert loaded_first(later, "driftgauge.b", known) == set()


def test_the_state_knows_names_of_counters_and_no_report() -> None:
    seen: set[str] = set()
    ahead = ["driftgauge.metrics.series", "driftgauge.metrics.server_series", "driftgauge.metrics.counters"]
    while ahead:
        module = ahead.pop()
        seen.add(module)
        names = {name.rpartition(".")[0] for name in imported(modules()[module].read_text("utf-8"), module)}
        ahead += names & modules().keys() - seen - {"driftgauge"}
    assert "driftgauge.drift.bins" in seen
    assert [name for name in seen if name.startswith("driftgauge.drift.verdict")] == []


@pytest.mark.parametrize(
    ("module", "source", "name"),
    [
        ("driftgauge.drift.bins", "import pandas", "pandas"),
        ("driftgauge.drift.bins", "import sklearn.metrics as m", "sklearn.metrics"),
        ("driftgauge.drift.bins", "from driftgauge.common.quoting import listed", "driftgauge.common.quoting.listed"),
        ("driftgauge.drift.bins", "from driftgauge import tables", "driftgauge.tables"),
        ("driftgauge.drift.bins", "from .. import tables", "driftgauge.tables"),
        ("driftgauge.drift.verdict.report", "def now():\n    import time\n    return time.time()", "time"),
        ("driftgauge.drift.verdict.report", "from datetime import datetime", "datetime.datetime"),
        ("driftgauge.drift.verdict.report", "import structlog", "structlog"),
        ("driftgauge.state.store", "from prometheus_client import Counter", "prometheus_client.Counter"),
        ("driftgauge.state.store", "from driftgauge.models import bundle", "driftgauge.models.bundle"),
        ("driftgauge.state.store", "from driftgauge.metrics import gauges", "driftgauge.metrics.gauges"),
        ("driftgauge.metrics.series", "from driftgauge.drift.verdict import rule", "driftgauge.drift.verdict.rule"),
        ("driftgauge.models.bundle", "from driftgauge.state import store", "driftgauge.state.store"),
        ("driftgauge.models.bundle", "import driftgauge.models.creation.create", "driftgauge.models.creation.create"),
        ("driftgauge.monitor.monitor", "from driftgauge.edges import http", "driftgauge.edges.http"),
        (
            "driftgauge.monitor.monitor",
            "if TYPE_CHECKING:\n    import driftgauge.edges.http.errors",
            "driftgauge.edges.http.errors",
        ),
        ("driftgauge.models.predictor", "from fastapi import Request", "fastapi.Request"),
        ("driftgauge.edges.formats.features", "import starlette.types", "starlette.types"),
        ("driftgauge.cli.main", "from driftgauge.main import create_app", "driftgauge.main.create_app"),
        ("driftgauge.main", "from driftgauge.cli.main import app", "driftgauge.cli.main.app"),
        ("driftgauge.main", "import fcntl", "fcntl"),
        ("driftgauge.monitor.monitor", "from mmap import ACCESS_READ", "mmap.ACCESS_READ"),
        ("driftgauge.edges.formats.features", "from ...settings import options", "driftgauge.settings.options"),
        ("driftgauge.cli.bundle", "from driftgauge import create_bundle", "driftgauge.create_bundle"),
        ("driftgauge", "from driftgauge.state.store import Store", "driftgauge.state.store.Store"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str, name: str) -> None:
    assert violations(source, module) == [f"{package_of(module)} may not import {name}"]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "driftgauge.drift.verdict.report",
            "import math, numpy as np\nfrom scipy import stats\nfrom driftgauge.drift import bins",
        ),
        ("driftgauge.drift.verdict.report", "from . import rule\nfrom ..bins import Bins"),
        ("driftgauge.metrics.render", "from prometheus_client.core import Metric"),
        ("driftgauge.state.files", "from mmap import mmap\nfrom driftgauge.common.layout import Layout"),
        ("driftgauge.__main__", "from driftgauge.cli.main import main"),
        ("driftgauge.state.store", "import prometheus_clients\nfrom driftgauge import __version__"),
        ("driftgauge.monitor.monitor", "text = 'import driftgauge.edges'"),
    ],
)
def test_an_allowed_import_is_let_through(module: str, source: str) -> None:
    assert violations(source, module) == []
