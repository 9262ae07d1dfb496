"""Sessions of Spark: one of ours, or a second one beside that of the program."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from driftgauge.engines.engine import reason_of
from driftgauge.errors import TableError

# The error that ends a command is in its own message.
_QUIET: Final = {"spark.log.level": "FATAL", "spark.ui.showConsoleProgress": "false"}


def runs_spark() -> bool:
    """Return whether this program has started Spark already; TableError without pyspark."""
    try:
        from pyspark import SparkContext
    except ImportError:
        raise TableError("tables in Spark need its library: pip install pyspark") from None
    # Not getActiveSession(), which knows only the session of this thread.
    return SparkContext._active_spark_context is not None


def spark_connection(host: str, settings: Mapping[str, str]) -> Any:
    """Return a connection of Ibis to Spark; TableError for an unknown parameter, or without Java.

    `settings` are Spark's own, such as `spark.executor.memory`. A program that runs Spark already gets a second session
    of it, so that its own keeps its time zone; `host` is then not used.
    """
    import ibis
    from pyspark.sql import SparkSession

    for name in settings:
        if not name.startswith("spark."):
            raise TableError(
                f"{name} is no parameter of spark://: use path, table, or a setting such as spark.executor.memory"
            )
    if runs_spark():
        return ibis.pyspark.connect(SparkSession.builder.getOrCreate().newSession(), **settings)
    _require_java()
    builder = SparkSession.builder.master(host if host.startswith("local") else f"spark://{host}")
    own = _QUIET if not host.startswith("local") else {**_QUIET, "spark.ui.enabled": "false"}
    # In UTC, as times without a zone are.
    for name, value in {**own, **settings, "spark.sql.session.timeZone": "UTC"}.items():
        builder = builder.config(name, value)
    try:
        return ibis.pyspark.connect(builder.appName("driftgauge").getOrCreate())
    except Exception as error:
        raise TableError(f"Spark does not start with the master {host}: {reason_of(error)}") from None


def _require_java() -> None:
    """Raise TableError unless Spark finds Java where it looks for it."""
    home = os.environ.get("JAVA_HOME")
    if home and not (Path(home) / "bin" / "java").exists():
        raise TableError(f"JAVA_HOME is {home}, where there is no bin/java: Spark needs Java 17 or newer")
    if not home and shutil.which("java") is None:
        raise TableError(
            "Spark needs Java 17 or newer, and there is no java: install it (apt-get install openjdk-17-jre-headless), "
            "or name its folder in JAVA_HOME"
        )
