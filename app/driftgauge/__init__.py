"""Driftgauge: a model monitor that answers in Prometheus metrics, alert rules, dashboards and JSON.

Its packages, in the order of the data:

- `tables`: files, Arrow tables and DataFrames, read as columns.
- `engines`: tables that are counted in databases, where they are.
- `models`: a model in its bundle, what it takes and answers; `models.creation` makes bundles of fitted estimators.
- `serving`: requests put into batches and predicted.
- `edges`: how rows come in and verdicts go out; `edges.formats` are wire formats, `edges.http` is the HTTP server,
  `edges.kafka` and `edges.files` read messages and files, `edges.web` is the page. `access` says who may ask for what.
- `predictions`: the log of predictions, in SQLite or PostgreSQL, for ground truth and exports.
- `ingestion`: predictions of other servers, each counted once.
- `monitor`: one `ColumnMonitor` for each model and version; every edge feeds it.
- `state`: what monitors remember, in files that all workers of a model share.
- `drift`: windows, evidence, statistics and verdicts; pure functions of numbers and frozen dataclasses.
- `metrics`: every Prometheus series, and the text that Prometheus scrapes; `telemetry` sends them to OpenTelemetry.
- `releases`: which version of each model answers; `registry` exchanges bundles and verdicts with MLflow.
- `alerting`: rules, routes, scrape configuration and runbooks; `notifications` evaluates the rules without Prometheus.
- `actions`: what is done about an alert.
- `replicas`: all servers of a Prometheus in one table.
- `checks`: verdicts on tables, offline.

`composition` puts the parts of a service together, and `main` a server of them. `library` is the public `Monitor`.
`process` starts and restarts workers, `cli` is the command line, and `demo` replays real flights. `settings` holds
every option, `errors` every reason code, `about` whose a model is, `common` what several packages need, and `shutdown`
the deadline of a process that stops.

From Python: `Monitor` watches a model that your own program serves, `instrument` a route of FastAPI, `check` compares a
table, `profile` counts parts of one that add up, and `suite` asserts what must hold of one; `create_bundle`,
`load_bundle` and `create_baseline` make and read what they compare with. Each name is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"
__all__ = [
    "About",
    "BaselineOptions",
    "Bundle",
    "CheckOptions",
    "CheckReport",
    "DriftgaugeError",
    "Monitor",
    "Profile",
    "Reason",
    "Refused",
    "Suite",
    "SuiteReport",
    "__version__",
    "check",
    "create_baseline",
    "create_bundle",
    "instrument",
    "load_bundle",
    "merge_profiles",
    "profile",
    "read_profile",
    "suite",
    "write_profile",
]

if TYPE_CHECKING:
    from driftgauge.about import About
    from driftgauge.checks.assertions.report import SuiteReport
    from driftgauge.checks.assertions.suite import Suite, suite
    from driftgauge.checks.options import CheckOptions
    from driftgauge.checks.profile_files import read_profile, write_profile
    from driftgauge.checks.profiling import profile
    from driftgauge.checks.report import CheckReport
    from driftgauge.checks.table import check
    from driftgauge.drift.profile.profile import Profile, merge_profiles
    from driftgauge.errors import DriftgaugeError, Reason, Refused
    from driftgauge.library.instrument import instrument
    from driftgauge.library.monitor import Monitor
    from driftgauge.models.bundle import Bundle, load_bundle
    from driftgauge.models.creation.baseline import BaselineOptions, create_baseline
    from driftgauge.models.creation.create import create_bundle
else:

    def __getattr__(name: str) -> object:
        """Import a public name on first use, so that `import driftgauge` loads no library."""
        from importlib import import_module

        modules = {
            "About": "driftgauge.about",
            "BaselineOptions": "driftgauge.models.creation.baseline",
            "Bundle": "driftgauge.models.bundle",
            "CheckOptions": "driftgauge.checks.options",
            "CheckReport": "driftgauge.checks.report",
            "DriftgaugeError": "driftgauge.errors",
            "Monitor": "driftgauge.library.monitor",
            "Profile": "driftgauge.drift.profile.profile",
            "Reason": "driftgauge.errors",
            "Refused": "driftgauge.errors",
            "Suite": "driftgauge.checks.assertions.suite",
            "SuiteReport": "driftgauge.checks.assertions.report",
            "check": "driftgauge.checks.table",
            "create_baseline": "driftgauge.models.creation.baseline",
            "create_bundle": "driftgauge.models.creation.create",
            "instrument": "driftgauge.library.instrument",
            "load_bundle": "driftgauge.models.bundle",
            "merge_profiles": "driftgauge.drift.profile.profile",
            "profile": "driftgauge.checks.profiling",
            "read_profile": "driftgauge.checks.profile_files",
            "suite": "driftgauge.checks.assertions.suite",
            "write_profile": "driftgauge.checks.profile_files",
        }
        if name not in modules:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(modules[name]), name)

    def __dir__() -> list[str]:
        return sorted(__all__)
