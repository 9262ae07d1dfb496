"""Driftgauge: a model monitor that answers in Prometheus metrics, alert rules, dashboards and JSON.

Its packages, in the order of the data:

- `tables`: files, Arrow tables and DataFrames, read as columns.
- `models`: a model in its bundle, what it takes and answers; `models.creation` makes bundles of fitted estimators.
- `serving`: requests put into batches and predicted.
- `edges`: how rows come in and verdicts go out; `edges.formats` are wire formats, `edges.http` is the HTTP server.
- `monitor`: one `Monitor` for each model and version; every edge feeds it.
- `state`: what monitors remember, in files that all workers of a model share.
- `drift`: windows, evidence, statistics and verdicts; pure functions of numbers and frozen dataclasses.
- `metrics`: every Prometheus series, and the text that Prometheus scrapes.
- `alerting`: rules, routes, scrape configuration and runbooks.
- `check`: verdicts on tables, offline.

`main` composes a server of them, `process` starts and restarts its workers, `cli` is the command line, and `demo`
replays real flights. `settings` holds every option, `errors` every reason code, `common` what several packages need.
"""

__version__ = "0.1.0"
