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
            _job(options.job, *options.targets),
            _job("prometheus", options.prometheus),
            _job("alertmanager", options.alertmanager),
        ],
    }


def _job(name: str, *targets: str) -> dict[str, Any]:
    return {"job_name": name, "static_configs": [{"targets": list(targets)}]}
