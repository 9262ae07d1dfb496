"""The contestants: how each is started, asked, and understood."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.measuring import THREAD_VARIABLES
from benchmarks.processes import free_port
from benchmarks.serving_models import Fitted

ROOT: Final = Path(__file__).parents[2]
BARE: Final = "bare FastAPI + scikit-learn"
MONITORED: Final = "Driftgauge"
UNLOGGED: Final = "Driftgauge, prediction log off"
UNMONITORED: Final = "Driftgauge, monitoring off"


@dataclass(frozen=True)
class Start:
    """How a server is started for a model: its command and its environment, in a folder of its own."""

    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Contestant:
    """A server that is compared with others."""

    name: str
    start: Callable[[Fitted, int, Path], Start]
    """Takes the model, the port, and a folder that it may write to."""
    body: Callable[[Mapping[str, float]], object]
    """What it is asked for a row."""
    score: Callable[[Any], float]
    """The probability of the second class in its answer to one row."""
    path: str = "/predict"
    scraped: str | None = None
    """Where its metrics are, if they are scraped while it is loaded."""
    python: Path = Path(sys.executable)
    """Whose environment it runs in."""

    @property
    def is_here(self) -> bool:
        """Whether it runs in the environment of the benchmarks."""
        return self.python == Path(sys.executable)

    @property
    def missing(self) -> str | None:
        """Return why it cannot be started, or None."""
        return None if self.python.exists() else f"{self.python.parts[-3]} is not there: make bench-serving"


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server: one thread for numbers, none of the caller's settings of Driftgauge."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith("DRIFTGAUGE_")}
    return {**kept, **dict.fromkeys(THREAD_VARIABLES, "1"), "PYTHONPATH": str(ROOT), **own}


def named(name: str) -> Contestant:
    """Return the contestant of a name."""
    return next(own for own in CONTESTANTS if own.name == name)


# ---------------------------------------------------------------- in this environment


def driftgauge(**settings: str) -> Callable[[Fitted, int, Path], Start]:
    """Return how Driftgauge is started with settings that are not its defaults, each time with a new state."""

    def start(fitted: Fitted, port: int, folder: Path) -> Start:
        where = ("--bundle", str(fitted.bundle), "--state-dir", str(folder / "state"))
        how = ("--port", str(port), "--log-level", "warning")
        env = {f"DRIFTGAUGE_{name.upper()}": value for name, value in settings.items()}
        return Start((sys.executable, "-m", "driftgauge", "serve", *where, *how), env)

    return start


def uvicorn(module: str, port: int, **env: str) -> Start:
    """Return how the application of a module here is started."""
    what = ("--factory", f"benchmarks.contestants.{module}:create_app", "--loop", "uvloop", "--http", "httptools")
    where = ("--port", str(port), "--log-level", "warning", "--no-access-log")
    return Start((sys.executable, "-m", "uvicorn", *what, *where), env)


def _uvicorn(module: str) -> Callable[[Fitted, int, Path], Start]:
    return lambda fitted, port, _: uvicorn(module, port, MODEL=str(fitted.model))


def _named_row(row: Mapping[str, float]) -> object:
    return {"features": row}


def _named_score(answer: Any) -> float:
    return float(answer["score"])


# ---------------------------------------------------------------- in environments of their own


def _bin(environment: str) -> Path:
    return ROOT / environment / "bin" / "python"


def _mlserver(**batching: float) -> Callable[[Fitted, int, Path], Start]:
    """Without the inference pool, a process beside: with one core and one model it only adds a way to go."""

    def start(fitted: Fitted, port: int, folder: Path) -> Start:
        model = {
            "name": "model",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(fitted.model), "version": "1"},
            **batching,
        }
        (folder / "settings.json").write_text(json.dumps(_mlserver_settings(port)))
        (folder / "model-settings.json").write_text(json.dumps(model))
        return Start((str(_bin(".venv-bench-mlserver").with_name("mlserver")), "start", "."))

    return start


def _mlserver_settings(port: int) -> Mapping[str, object]:
    return {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
        "debug": False,
        "logging_settings": {
            "version": 1,
            "disable_existing_loggers": False,
            "loggers": {name: {"level": "WARNING"} for name in ("mlserver", "uvicorn", "uvicorn.access")},
        },
    }


def _v2_row(row: Mapping[str, float]) -> object:
    values = list(row.values())
    inputs = [{"name": "rows", "shape": [1, len(values)], "datatype": "FP64", "data": values}]
    return {"inputs": inputs, "outputs": [{"name": "predict_proba"}]}


def _v2(name: str, start: Callable[[Fitted, int, Path], Start]) -> Contestant:
    return Contestant(
        name,
        start,
        _v2_row,
        lambda answer: float(answer["outputs"][0]["data"][1]),
        path="/v2/models/model/infer",
        python=_bin(".venv-bench-mlserver"),
    )


def _bentoml(fitted: Fitted, port: int, folder: Path) -> Start:
    service = ("bentoml_service:Classifier", "--working-dir", str(Path(__file__).parent))
    where = ("--host", "127.0.0.1", "--port", str(port), "--quiet", "--do-not-track")
    env = {"MODEL": str(fitted.model), "BENTOML_HOME": str(folder)}
    return Start((str(_bin(".venv-bench-bentoml").with_name("bentoml")), "serve", *service, *where), env)


CONTESTANTS: Final = (
    Contestant(MONITORED, driftgauge(), _named_row, _named_score, scraped="/metrics"),
    Contestant(UNLOGGED, driftgauge(prediction_log="false"), _named_row, _named_score, scraped="/metrics"),
    Contestant(UNMONITORED, driftgauge(monitoring_enabled="false", prediction_log="false"), _named_row, _named_score),
    Contestant(BARE, _uvicorn("bare"), _named_row, _named_score),
    Contestant("bare + instrumentator", _uvicorn("instrumented"), _named_row, _named_score, scraped="/metrics"),
    Contestant("bare + textbook monitor", _uvicorn("textbook"), _named_row, _named_score, scraped="/metrics/"),
    _v2("MLServer", _mlserver()),
    _v2("MLServer, batching", _mlserver(max_batch_size=32, max_batch_time=0.005)),
    Contestant(
        "BentoML",
        _bentoml,
        lambda row: {"rows": [list(row.values())]},
        lambda answer: float(answer[0][1]),
        python=_bin(".venv-bench-bentoml"),
    ),
)
