"""Options of the server itself: bundle, addresses, state and logs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field

from driftgauge.settings.values import LOWER_CASE, HostNames, Names, Origins, RootPath

MAX_WORKERS: Final = 60
IN_MEMORY: Final = Path("memory")
"""The value of `state_dir` that keeps state in memory."""


class ServerSettings(BaseModel):
    """Address, processes, state and logs."""

    bundle: Path | None = Field(None, description="Folder of the model bundle to serve; repeat the option for several.")
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    allowed_hosts: HostNames = Field(
        (),
        description="Host names that requests may use (`Host` header), e.g. `api.example.com,*.example.com`; `*` "
        "allows any. IP addresses and loopback names are always allowed. Default: any name, but only names without "
        "a dot if the server listens on a loopback address.",
    )
    allowed_origins: Origins = Field(
        (),
        description="Origins of other sites whose pages may send requests from a browser (CORS), e.g. "
        "`https://app.example.com`; `*` allows any.",
    )
    root_path: RootPath = Field("", description="Path under which a proxy exposes the server, e.g. `/models/a`.")
    workers: int = Field(1, ge=1, le=MAX_WORKERS, description="Number of worker processes; they share one state.")
    state_dir: Path | None = Field(
        None,
        description="Folder for windows and counters. Default: beside the bundle (`BUNDLE.state`). `memory` writes "
        "no files: a restart loses the state, and each worker reports only its own rows.",
    )
    shutdown_grace_seconds: int = Field(25, ge=2, description="Time to finish requests in progress at shutdown.")
    log_level: Annotated[Literal["debug", "info", "warning", "error"], LOWER_CASE] = Field(
        "info", description="Minimum log level."
    )
    log_format: Annotated[Literal["auto", "json", "console"], LOWER_CASE] = Field(
        "auto",
        description="Log format: one JSON object per line, human-readable text (`console`), or `auto`: console on a "
        "terminal, JSON elsewhere.",
    )
    log_file: Path | None = Field(
        None,
        description="File that log lines are also appended to, for a log collector beside the server. It is emptied "
        "when it reaches 10 MiB.",
    )
    trusted_types: Names = Field(
        (),
        description="Types that a model file may contain in addition to the built-in list, and what else a bundle may "
        "load: `python:MODULE:OBJECT`, `mlflow.pyfunc`. Loading one can run code.",
    )
    model_threads: int = Field(
        1, ge=1, description="BLAS and OpenMP threads per prediction; more threads slow small batches down."
    )

    @property
    def state_folder(self) -> Path | None:
        """Folder of the state: `state_dir` if set, else beside the bundle; None for in memory."""
        if self.state_dir == IN_MEMORY:
            return None
        if self.state_dir is not None or self.bundle is None:
            return self.state_dir
        bundle = self.bundle.resolve()
        return bundle.parent / f"{bundle.name or 'bundle'}.state"
