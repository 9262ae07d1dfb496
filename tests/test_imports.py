"""Imports point inward: drift ← state ← slots ← store ← monitor ← capture, serving ← edges ← main ← commands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "app"


@dataclass(frozen=True)
class Rule:
    """Which importers may import what; both are judged by dotted names."""

    name: str
    concerns: Callable[[str], bool]
    """Whether an imported module falls under the rule."""
    allowed: Callable[[str], bool]
    """Whether a module may import such a one."""


def _within(*packages: str) -> Callable[[str], bool]:
    """Return what says whether a module is one of these, or inside of one."""
    return lambda module: any(module == package or module.startswith(f"{package}.") for package in packages)


def _impure(module: str) -> bool:
    top = module.partition(".")[0]
    if top == "app":
        return not (module == "app" or _within("app.drift")(module))
    return top not in {"numpy", "scipy"} and (top not in sys.stdlib_module_names or top in SIDE_EFFECTS)


SIDE_EFFECTS = {
    *("asyncio", "datetime", "fcntl", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "random", "secrets"),
    *("shutil", "signal", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "urllib", "uuid"),
}
"""Of the standard library, what a pure core has no use for: clocks, files, networks, threads, chance."""

COMMANDS = (
    *("app.demo", "app.serve_command", "app.state_command", "app.check_command"),
    *("app.bundle_command", "app.baseline_command", "app.monitoring.command"),
)
ENTRANCES = ("app.main", "app.worker", "app.cli", "app.check_report", *COMMANDS)
RULES = (
    Rule("the core is pure", _impure, lambda module: not _within("app.drift")(module)),
    Rule("metrics alone knows prometheus_client", _within("prometheus_client"), _within("app.metrics")),
    Rule("nothing inside knows the edges", _within("app.edges"), _within("app.edges", *ENTRANCES)),
    Rule(
        "only the HTTP edge knows the web",
        _within("fastapi", "starlette"),
        _within("app.edges.http", "app.main", "app.worker"),
    ),
    Rule("nobody imports the command line", _within("app.cli"), _within("app.__main__")),
    Rule("the command line alone imports the commands", _within(*COMMANDS), _within("app.cli")),
    Rule(
        "nobody imports the application", _within("app.main", "app.worker"), _within("app.worker", "app.serve_command")
    ),
    Rule("state files alone lock and map files", _within("fcntl"), _within("app.state_files")),
    # Layout knows them as one of the buffers that arrays can be views of.
    Rule(
        "state files alone lock and map files",
        _within("mmap"),
        _within("app.state_files", "app.slot", "app.slots", "app.layout"),
    ),
    Rule(
        "files are behind the store",
        _within("app.slot", "app.slots"),
        _within("app.slots", "app.store", "app.state_folder", *ENTRANCES),
    ),
    Rule("settings are handed on", _within("app.settings"), _within(*ENTRANCES, "app.edges.http")),
)


def imported(source: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield all that a module imports, wherever in it: `from a import b` is both `a` and `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Return a sentence for each rule that a module breaks."""
    found = set(imported(source, module, is_package=is_package))
    return [
        f"{rule.name}: {module} imports {name}"
        for rule in RULES
        if not rule.allowed(module)
        for name in sorted(found)
        if rule.concerns(name)
    ]


def _modules() -> dict[str, Path]:
    paths = sorted(ROOT.rglob("*.py"))
    return {
        ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path for path in paths
    }


def test_the_modules_of_the_design_are_looked_at() -> None:
    assert {"app", "app.main", "app.state", "app.metrics", "app.drift.bins", "app.edges.http.predict"} <= set(
        _modules()
    )


@pytest.mark.parametrize("module", _modules())
def test_imports_point_inward(module: str) -> None:
    path = _modules()[module]
    assert violations(path.read_text("utf-8"), module, is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    ("module", "source", "rule"),
    [
        ("app.drift.bins", "import pandas", "the core is pure"),
        ("app.drift.bins", "import sklearn.metrics as m", "the core is pure"),
        ("app.drift.bins", "from app.errors import Reason", "the core is pure"),
        ("app.drift.bins", "from app import errors", "the core is pure"),
        ("app.drift.bins", "from .. import errors", "the core is pure"),
        ("app.drift.bins", "from ..errors import Reason", "the core is pure"),
        ("app.drift.report", "def now():\n    import time\n    return time.time()", "the core is pure"),
        ("app.drift.report", "from datetime import datetime", "the core is pure"),
        ("app.drift.report", "import structlog", "the core is pure"),
        ("app.state", "from prometheus_client import Counter", "metrics alone knows prometheus_client"),
        ("app.edges.http.watch", "import prometheus_client.core", "metrics alone knows prometheus_client"),
        ("app.monitor", "from app.edges.http.errors import json_response", "nothing inside knows the edges"),
        ("app.monitor", "from app import edges", "nothing inside knows the edges"),
        ("app.monitor", "if TYPE_CHECKING:\n    import app.edges.http.service", "nothing inside knows the edges"),
        ("app.serving", "from fastapi import Request", "only the HTTP edge knows the web"),
        ("app.cli", "import starlette", "only the HTTP edge knows the web"),
        ("app.edges.formats.features", "import starlette.types", "only the HTTP edge knows the web"),
        ("app.main", "from app.cli import app", "nobody imports the command line"),
        ("app.demo", "import app.cli", "nobody imports the command line"),
        ("app.demo", "from app.main import create_app", "nobody imports the application"),
        ("app.cli", "from app.main import create_app", "nobody imports the application"),
        ("app.main", "from app.worker import IMPORT_STRING", "nobody imports the application"),
        ("app.edges.http.service", "from app.main import compose", "nobody imports the application"),
        ("app.__main__", "from app import demo", "the command line alone imports the commands"),
        ("app.main", "from app.serve_command import run", "the command line alone imports the commands"),
        ("app.worker", "import app.state_command", "the command line alone imports the commands"),
        (
            "app.bundle_create",
            "from app.bundle_command import bundle_app",
            "the command line alone imports the commands",
        ),
        ("app.state", "import fcntl", "state files alone lock and map files"),
        ("app.store", "from mmap import ACCESS_READ", "state files alone lock and map files"),
        ("app.layout", "import fcntl", "state files alone lock and map files"),
        ("app.drift.blocks", "import signal", "the core is pure"),
        ("app.monitor", "from app.slots import Slots", "files are behind the store"),
        ("app.edges.http.watch", "from app import slots", "files are behind the store"),
        ("app.monitor", "from app.settings import Settings", "settings are handed on"),
        ("app.serving", "from app import settings", "settings are handed on"),
        ("app.edges.formats.features", "from ...settings import load", "settings are handed on"),
    ],
)
def test_a_forbidden_import_is_found(module: str, source: str, rule: str) -> None:
    found = violations(source, module)
    assert found
    assert all(sentence.startswith(f"{rule}: {module} imports ") for sentence in found)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("app.drift.report", "import math, numpy as np\nfrom scipy import stats\nfrom app.drift import bins"),
        ("app.drift.report", "from . import bins\nfrom .window import Rows\nfrom app.drift.bins import Bins"),
        ("app.metrics", "from prometheus_client.core import Metric"),
        ("app.main", "from fastapi import FastAPI\nfrom app.edges.http.routes import install_routes"),
        ("app.cli", "def serve():\n    from app.serve_command import run\n    from app.demo import run"),
        ("app.serve_command", "from app.main import create_app\nfrom app.worker import IMPORT_STRING"),
        ("app.worker", "from fastapi import FastAPI\nfrom app.main import create_app"),
        ("app.state_files", "import fcntl\nfrom mmap import mmap\nfrom app.layout import Layout"),
        ("app.state_command", "from app.state_folder import found_in\nfrom app.settings import load"),
        ("app.__main__", "from app.cli import main"),
        ("app.edges.http.service", "from app.settings import Settings\nfrom fastapi import Request"),
        ("app.state", "import prometheus_clients\nimport app.settings_of_others"),
        ("app.monitor", "text = 'import app.edges'"),
    ],
)
def test_an_allowed_import_is_let_through(module: str, source: str) -> None:
    assert violations(source, module) == []


def test_relative_imports_of_a_package_are_its_own() -> None:
    assert set(imported("from . import http", "app.edges", is_package=True)) == {"app.edges", "app.edges.http"}
    assert set(imported("from . import bins", "app.drift.report")) == {"app.drift", "app.drift.bins"}
    assert set(imported("from ..state import State", "app.edges.http")) == {"app.state", "app.state.State"}
