"""prometheus.yml: targets, rule files, and the address of Alertmanager."""

from __future__ import annotations

from typing import Any

from driftgauge.alerting.options import MonitoringOptions


def prometheus_config(options: MonitoringOptions) -> dict[str, Any]:
    """Return the content of prometheus.yml; paths in it are relative to the file."""
    return {
        "global": {
            "scrape_interval": options.scrape_interval,
            "scrape_timeout": options.scrape_interval,
            "evaluation_interval": options.scrape_interval,
        },
        "rule_files": ["rules/*.yml", "alerts/*.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [options.alertmanager]}]}]},
        "scrape_configs": [
            {**_job(options.job, *options.targets), **_access(options)},
            _job("prometheus", options.prometheus),
            _job("alertmanager", options.alertmanager),
        ],
    }


def _access(options: MonitoringOptions) -> dict[str, Any]:
    """Return how the servers are reached, where it is not plain HTTP without a token."""
    found: dict[str, Any] = {} if options.scheme == "http" else {"scheme": options.scheme}
    if options.ca_file:
        found["tls_config"] = {"ca_file": options.ca_file}
    if options.token_file:
        found["authorization"] = bearer(options.token_file)
    return found


def bearer(token_file: str) -> dict[str, str]:
    """Return the credentials that Prometheus and Alertmanager read from a file."""
    return {"type": "Bearer", "credentials_file": token_file}


def _job(name: str, *targets: str) -> dict[str, Any]:
    return {"job_name": name, "static_configs": [{"targets": list(targets)}]}
