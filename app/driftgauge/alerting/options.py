"""The parameters of the files for Prometheus and Alertmanager."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

from driftgauge.common.option import Option, flag
from driftgauge.errors import MonitoringError

UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATIONS: Final = ("scrape_interval", "window", "hold", "group_wait", "group_interval", "repeat_interval")
REPLICA_WINDOWS: Final = {"5m": 1, "1h": 8, "24h": 16}
"""Ranges with their evaluation interval in scrape intervals; long ranges cost more and change slowly."""
SLOWEST_SCRAPE: Final = "2m"
"""A rate over five minutes needs two samples, also after a failed scrape."""
TAKEN: Final = (
    "model_name",
    "model_version",
    "feature_name",
    "instance",
    "window",
    "severity",
    "bin",
    "rows",
    "detail",
    "le",
)
LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
RULES: Final = "Rules"
ADDRESSES: Final = "What is scraped"
LINKS: Final = "Links in alerts"
SLACK: Final = "Slack"
EMAIL: Final = "Email"
WEBHOOK: Final = "Webhook"
ACTIONS: Final = "Actions"
NOTIFICATIONS: Final = "Timing of notifications"
KUBERNETES: Final = "Kubernetes"
"""Groups of the options in the command's help."""
Scheme = Literal["http", "https"]
Platform = Literal["prometheus", "prometheus-operator"]
Preset = Literal["two-minutes", "classic"]
PRESETS: Final[tuple[Preset, ...]] = get_args(Preset)
DNS_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
KEY_VALUE: Final = re.compile(r"[A-Za-z0-9./_-]+=[A-Za-z0-9._-]*")
SECRET: Final = re.compile(r"[a-z0-9.-]+/[A-Za-z0-9._-]+")
URL: Final = re.compile(r"https?://[^\s/{}]+[^\s{}]*")


def preset_named(text: str) -> Preset:
    """Return the preset of a name; ValueError for an unknown one."""
    for name in PRESETS:
        if name == text:
            return name
    raise ValueError(f"there is no preset {text!r}: choose from {', '.join(PRESETS)}")


@dataclass(frozen=True)
class MonitoringOptions:
    """Parameters of the rendered files; durations as Prometheus writes them (`15s`, `5m`).

    Each is an option of `driftgauge monitoring render`. Raises MonitoringError, which names the option, for a value
    that Prometheus or Alertmanager would refuse.
    """

    scrape_interval: Annotated[
        str, Option("Time between scrapes, and between evaluations of rules.", "TIME", RULES)
    ] = "15s"
    window: Annotated[str, Option("Range of a gauge's samples that an alert looks at.", "TIME", RULES)] = "5m"
    hold: Annotated[
        str, Option("Time that a condition lasts before its alert fires.", "TIME", RULES, flag="--hold")
    ] = "5m"
    replica_windows: Annotated[
        tuple[str, ...],
        Option("Ranges over which the bins of all replicas are added up; long ones cost most.", "TIME,…", RULES),
    ] = ("5m", "1h", "24h")
    compatibility: Annotated[
        bool,
        Option("Also record feature_psi_score and model_prediction_score, for rules written elsewhere.", group=RULES),
    ] = False
    presets: Annotated[
        tuple[Preset, ...],
        Option(
            f"Alerts of widely copied monitors, in addition: {', '.join(PRESETS)}.",
            "NAME,…",
            RULES,
            flag="--preset",
            shown_default="none",
            parse=preset_named,
        ),
    ] = ()
    targets: Annotated[
        tuple[str, ...],
        Option("Servers to scrape, as Prometheus reaches them; repeatable.", "HOST:PORT", ADDRESSES, flag="--target"),
    ] = ("app:8000",)
    scheme: Annotated[Scheme, Option("How the servers are scraped.", group=ADDRESSES)] = "http"
    ca_file: Annotated[
        str | None,
        Option(
            "File of the authority that signed the servers' certificates, as Prometheus reads it.", "FILE", ADDRESSES
        ),
    ] = None
    token_file: Annotated[
        str | None,
        Option("File with the token that Prometheus sends to the servers, as Prometheus reads it.", "FILE", ADDRESSES),
    ] = None
    job: Annotated[str, Option("Scrape job of the servers.", "NAME", ADDRESSES)] = "driftgauge"
    by: Annotated[
        tuple[str, ...],
        Option(
            "Labels that tell deployments apart; servers that share their values are replicas.", "LABEL,…", ADDRESSES
        ),
    ] = ("job",)
    prometheus: Annotated[str, Option("Prometheus, as it reaches itself.", "HOST:PORT", ADDRESSES)] = "localhost:9090"
    alertmanager: Annotated[str, Option("Alertmanager, as Prometheus reaches it.", "HOST:PORT", ADDRESSES)] = (
        "alertmanager:9093"
    )
    base_url: Annotated[str, Option("The server, as people reach it.", "URL", LINKS)] = "http://localhost:8000"
    runbook_url: Annotated[
        str | None, Option("Folder of the runbooks.", "URL", LINKS, shown_default="/runbooks of the server")
    ] = None
    model: Annotated[
        str | None,
        Option("Model that the runbooks' commands name.", "NAME", LINKS, shown_default="none: a server has one model"),
    ] = None
    grafana_url: Annotated[str, Option("Grafana, as people reach it.", "URL", LINKS)] = "http://localhost:3000"
    slack_url_file: Annotated[
        str | None, Option("File with the address of a Slack webhook, as Alertmanager reads it.", "FILE", SLACK)
    ] = None
    slack_channel: Annotated[
        str | None, Option("Channel to post to.", "NAME", SLACK, shown_default="the webhook's own")
    ] = None
    email_to: Annotated[str | None, Option("Recipient.", "ADDRESS", EMAIL)] = None
    email_from: Annotated[str, Option("Sender.", "ADDRESS", EMAIL)] = "driftgauge@localhost"
    smtp_host: Annotated[str, Option("Mail server.", "HOST:PORT", EMAIL)] = "localhost:25"
    smtp_user: Annotated[str | None, Option("User at the mail server.", "NAME", EMAIL)] = None
    smtp_password_file: Annotated[
        str | None, Option("File with the user's password, as Alertmanager reads it.", "FILE", EMAIL)
    ] = None
    smtp_tls: Annotated[bool, Option("Accept a mail server without TLS.", group=EMAIL)] = True
    webhook_url: Annotated[str | None, Option("Address that notifications are posted to as JSON.", "URL", WEBHOOK)] = (
        None
    )
    webhook_token_file: Annotated[
        str | None, Option("File with the token that is sent along, as Alertmanager reads it.", "FILE", WEBHOOK)
    ] = None
    actions_url: Annotated[
        str | None,
        Option("The server, as Alertmanager reaches it, if alerts lead to actions there.", "URL", ACTIONS),
    ] = None
    actions_token_file: Annotated[
        str | None,
        Option("File with a token of scope actions that is sent along, as Alertmanager reads it.", "FILE", ACTIONS),
    ] = None
    group_wait: Annotated[
        str, Option("Time that a first notification waits for other alerts of its group.", "TIME", NOTIFICATIONS)
    ] = "30s"
    group_interval: Annotated[
        str, Option("Time between notifications about changes of a group.", "TIME", NOTIFICATIONS)
    ] = "5m"
    repeat_interval: Annotated[
        str, Option("Time after which a critical alert is sent again.", "TIME", NOTIFICATIONS)
    ] = "4h"

    platform: Annotated[
        Platform,
        Option("What reads the files: Prometheus itself, or the Prometheus Operator.", group=KUBERNETES, flag="--for"),
    ] = "prometheus"
    namespace: Annotated[str, Option("Namespace of the server.", "NAME", KUBERNETES)] = "default"
    labels: Annotated[
        tuple[str, ...],
        Option("Labels that the operator selects resources by.", "KEY=VALUE,…", KUBERNETES, flag="--label"),
    ] = ()

    def __post_init__(self) -> None:
        for name in DURATIONS:
            milliseconds(getattr(self, name), flag(type(self), name))
        if milliseconds(self.window) < 2 * milliseconds(self.scrape_interval):
            raise MonitoringError("--window must be at least two scrape intervals, or a failed scrape hides an alert")
        for name in ("base_url", "runbook_url", "grafana_url", "webhook_url", "actions_url"):
            self._matching(name, URL, "an address like http://host:port")
        for name in ("targets", "prometheus", "alertmanager", "smtp_host"):
            self._matching(name, ADDRESS, "host:port")
        self._matching("by", LABEL, "names of labels, like job,namespace")
        if not set(self.replica_windows) <= set(REPLICA_WINDOWS):
            known = ",".join(REPLICA_WINDOWS)
            raise MonitoringError(f"--replica-windows {','.join(self.replica_windows)}: choose from {known}")
        self._check_kubernetes()
        if self.ca_file and self.scheme != "https":
            raise MonitoringError("--ca-file is for servers with TLS: add --scheme https")
        if "job" not in self.by:
            raise MonitoringError("--by must contain job: the alert on a server that is down has no other label")
        if len({*self.by, *TAKEN}) < len(self.by) + len(TAKEN):
            raise MonitoringError(
                f"--by {','.join(self.by)}: name each label once, and none that the metrics have: {', '.join(TAKEN)}"
            )
        self._matching("job", re.compile(r"[^\s\"'\\{}]+"), "the name of a scrape job")
        if self.job in ("prometheus", "alertmanager"):
            raise MonitoringError(f"--job {self.job}: {self.job} scrapes itself under this name; choose another")
        if milliseconds(self.scrape_interval) > milliseconds(SLOWEST_SCRAPE):
            raise MonitoringError(
                f"--scrape-interval {self.scrape_interval}: rates over 5m need {SLOWEST_SCRAPE} or less"
            )

    def _check_kubernetes(self) -> None:
        if self.platform != "prometheus-operator":
            return
        self._matching("namespace", DNS_LABEL, "the name of a namespace")
        self._matching("job", DNS_LABEL, "a name that Kubernetes allows: lower-case letters, digits and dashes")
        if self.labels:
            self._matching("labels", KEY_VALUE, "labels like release=prometheus")
        secrets = ("slack_url_file", "smtp_password_file", "token_file", "ca_file", "webhook_token_file")
        for name in (*secrets, "actions_token_file"):
            self._matching(name, SECRET, "the key of a Secret as NAME/KEY, because Kubernetes keeps secrets there")

    def _matching(self, name: str, pattern: re.Pattern[str], wanted: str) -> None:
        value = getattr(self, name)
        values = value if isinstance(value, tuple) else (value,)
        if not values or not all(part is None or pattern.fullmatch(part) for part in values):
            raise MonitoringError(f"{flag(type(self), name)} {','.join(map(str, values))}: give {wanted}")

    @property
    def is_compatible(self) -> bool:
        """Whether series are recorded under the names that older rules expect."""
        return self.compatibility or "classic" in self.presets

    @property
    def runbooks(self) -> str:
        """Where the runbooks are, without a slash at the end."""
        return (self.runbook_url or f"{self.base_url.rstrip('/')}/runbooks").rstrip("/")


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
