"""What the files of Prometheus and Alertmanager depend on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from driftgauge.errors import MonitoringError

UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATIONS: Final = ("scrape_interval", "window", "hold", "group_wait", "group_interval", "repeat_interval")
REPLICA_WINDOWS: Final = {"5m": 1, "1h": 8, "24h": 16}
"""Each with its evaluation interval in scrape intervals: long ranges are dear, and change slowly."""
SLOWEST_SCRAPE: Final = "2m"
"""A rate over five minutes wants two samples, also after a failed scrape."""
TAKEN: Final = ("model_name", "model_version", "feature_name", "instance", "window", "severity", "bin", "le")
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
URL: Final = re.compile(r"https?://[^\s/{}]+[^\s{}]*")


@dataclass(frozen=True)
class MonitoringOptions:
    """Parameters of the rendered files; durations as Prometheus writes them (`15s`, `5m`).

    Raises MonitoringError, naming the option, for what neither program would take.
    """

    scrape_interval: str = "15s"
    window: str = "5m"
    """How long a gauge is looked back at: an alert needs all its samples of this time."""
    hold: str = "5m"
    """How long a condition holds before its alert fires: `for` in the rules."""
    base_url: str = "http://localhost:8000"
    """Address of the server as people reach it."""
    runbook_url: str | None = None
    """Folder of the runbooks; the server's own by default."""
    grafana_url: str = "http://localhost:3000"
    targets: tuple[str, ...] = ("app:8000",)
    """Servers to scrape, as Prometheus reaches them: host:port."""
    prometheus: str = "localhost:9090"
    alertmanager: str = "alertmanager:9093"
    job: str = "driftgauge"
    """The scrape job of the servers."""
    by: tuple[str, ...] = ("job",)
    """Labels of a target that tell deployments apart; replicas are those that share them."""
    slack_url_file: str | None = None
    """File that holds the address of a Slack webhook, as Alertmanager reaches it."""
    slack_channel: str | None = None
    email_to: str | None = None
    email_from: str = "driftgauge@localhost"
    smtp_host: str = "localhost:25"
    smtp_user: str | None = None
    smtp_password_file: str | None = None
    smtp_tls: bool = True
    webhook_url: str | None = None
    group_wait: str = "30s"
    group_interval: str = "5m"
    repeat_interval: str = "4h"
    replica_windows: tuple[str, ...] = ("5m", "1h", "24h")
    """Over which times the bins of all replicas are added up; long ones are dear in large fleets."""
    compatibility: bool = False
    """Whether to record series under the names that home-grown rules use."""

    def __post_init__(self) -> None:
        for name in DURATIONS:
            milliseconds(getattr(self, name), flag(name))
        if milliseconds(self.window) < 2 * milliseconds(self.scrape_interval):
            raise MonitoringError("--window must be at least two scrape intervals, or a failed scrape hides an alert")
        for name in ("base_url", "runbook_url", "grafana_url", "webhook_url"):
            self._matching(name, URL, "an address like http://host:port")
        for name in ("targets", "prometheus", "alertmanager", "smtp_host"):
            self._matching(name, ADDRESS, "host:port")
        self._matching("by", LABEL, "names of labels, like job,namespace")
        if not set(self.replica_windows) <= set(REPLICA_WINDOWS):
            known = ",".join(REPLICA_WINDOWS)
            raise MonitoringError(f"--replica-windows {','.join(self.replica_windows)}: choose from {known}")
        if "job" not in self.by:
            raise MonitoringError("--by must contain job: the alert of a server that is down knows no other label")
        if len({*self.by, *TAKEN}) < len(self.by) + len(TAKEN):
            raise MonitoringError(f"--by {','.join(self.by)}: name each label once, and none of {', '.join(TAKEN)}")
        self._matching("job", re.compile(r"[^\s\"'\\{}]+"), "the name of a scrape job")
        if self.job in ("prometheus", "alertmanager"):
            raise MonitoringError(f"--job {self.job}: that is the job of {self.job} itself")
        if milliseconds(self.scrape_interval) > milliseconds(SLOWEST_SCRAPE):
            raise MonitoringError(
                f"--scrape-interval {self.scrape_interval}: rates over 5m want {SLOWEST_SCRAPE} or less"
            )

    def _matching(self, name: str, pattern: re.Pattern[str], wanted: str) -> None:
        value = getattr(self, name)
        values = value if isinstance(value, tuple) else (value,)
        if not values or not all(part is None or pattern.fullmatch(part) for part in values):
            raise MonitoringError(f"{flag(name)} {','.join(map(str, values))}: give {wanted}")

    @property
    def runbooks(self) -> str:
        """Where the runbooks are, without a slash at the end."""
        return (self.runbook_url or f"{self.base_url.rstrip('/')}/runbooks").rstrip("/")


def flag(name: str) -> str:
    """Return the option of the command line that sets a field."""
    spelled = {"hold": "for", "targets": "target"}
    return "--" + spelled.get(name, name).replace("_", "-")


def milliseconds(duration: str, named: str = "duration") -> int:
    """Return a duration like `1h30m` in milliseconds; MonitoringError if it is not one, or zero."""
    parts = re.findall(r"(\d+)(ms|[smhd])", duration)
    total = sum(int(count) * UNITS[unit] for count, unit in parts)
    sizes = [UNITS[unit] for _, unit in parts]
    ordered = sizes == sorted(set(sizes), reverse=True)
    if "".join(count + unit for count, unit in parts) != duration or not ordered or total == 0:
        raise MonitoringError(f"{named} {duration}: give a time like 500ms, 15s, 5m or 1h30m")
    return total


def duration(total: int) -> str:
    """Return milliseconds as Prometheus writes them, in the largest units that fit."""
    text = ""
    for unit, size in sorted(UNITS.items(), key=lambda item: -item[1]):
        count, total = divmod(total, size)
        text += f"{count}{unit}" if count else ""
    return text
