"""Options for the engine that reads a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from driftgauge.common.option import Option

ENGINE: Final = "Engine"
"""A group of options in the help."""
EngineName = Literal["auto", "memory", "duckdb"]


@dataclass(frozen=True)
class EngineOptions:
    """How tables that may be larger than memory are read."""

    engine: Annotated[
        EngineName,
        Option(
            "How files are read: by Driftgauge (memory), or by duckdb, which counts them where they are. With auto, "
            "`baseline build` uses duckdb for Parquet files of 1 GiB and more, if it is installed; other commands use "
            "memory, part by part. The table of a URL is always counted by its own database.",
            group=ENGINE,
        ),
    ] = "auto"
    memory: Annotated[
        str, Option("Memory that duckdb may use, such as 512MB or 8GB.", "SIZE", ENGINE, flag="--engine-memory")
    ] = "1GB"
    temp: Annotated[
        Path | None,
        Option(
            "Folder for data that does not fit into that memory; by default a temporary one.",
            "FOLDER",
            ENGINE,
            flag="--engine-temp",
        ),
    ] = None


IN_MEMORY: Final = EngineOptions(engine="memory")
"""Files are read here, and only the tables of databases are counted there."""
