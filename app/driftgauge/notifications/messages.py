"""A message about alerts: the JSON of Alertmanager's webhooks, and the texts of Alertmanager's template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from driftgauge.alerting import shipped_folder
from driftgauge.common.rfc3339 import rfc3339
from driftgauge.notifications.samples import Labels
from driftgauge.notifications.template_syntax import read_template
from driftgauge.notifications.templates import Moment, named

TEMPLATE: Final = "alertmanager/templates/driftgauge.tmpl"
VERSION: Final = "4"
"""Version of the format of Alertmanager's webhooks."""
GROUP: Final = ("model_name", "model_version")
"""Labels by which alerts are put into one message, beside their severity."""
MOST_ALERTS: Final = 30
"""Most firing alerts that one message tells of, and most resolved ones."""
ONGOING: Final = "0001-01-01T00:00:00Z"
"""The end of an alert that still fires, as Alertmanager writes it."""
SEVERITIES: Final = ("info", "warning", "critical")
Json = dict[str, Any]


@dataclass(frozen=True)
class MessageAlert:
    """One alert in a message."""

    fingerprint: str
    labels: Labels
    fired_at: float
    annotations: Mapping[str, str]
    ended_at: float | None = None
    """None while it fires."""

    @property
    def as_json(self) -> Json:
        """The alert as Alertmanager's webhooks have it."""
        return {
            "status": "firing" if self.ended_at is None else "resolved",
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
            "startsAt": rfc3339(self.fired_at),
            "endsAt": ONGOING if self.ended_at is None else rfc3339(self.ended_at),
            "generatorURL": self.annotations.get("page_url", ""),
            "fingerprint": self.fingerprint,
        }


@dataclass(frozen=True)
class Texts:
    """What people read of a message."""

    title: str
    text: str
    link: str
    color: str
    """`good`, `warning` or `danger`."""


def message(
    key: str, receiver: str, alerts: Sequence[MessageAlert], *, external_url: str, left_out: int = 0, at: float = 0.0
) -> Json:
    """Return a message: Alertmanager's format, version 4, with an id, the time, the texts, and what was left out."""
    firing = [own for own in alerts if own.ended_at is None]
    resolved = [own for own in alerts if own.ended_at is not None]
    listed = [*firing[:MOST_ALERTS], *resolved[:MOST_ALERTS]]
    common = [own.labels for own in alerts]
    body: Json = {
        "version": VERSION,
        "id": key,
        "sentAt": rfc3339(at),
        "groupKey": "/".join(str(common[0].get(name, "")) for name in (*GROUP, "severity")),
        "truncatedAlerts": len(alerts) - len(listed),
        "status": "firing" if firing else "resolved",
        "receiver": receiver,
        "groupLabels": {name: common[0][name] for name in ("job", *GROUP) if name in common[0]},
        "commonLabels": shared(common),
        "commonAnnotations": shared([own.annotations for own in alerts]),
        "externalURL": external_url,
        "leftOut": left_out,
        "alerts": [own.as_json for own in listed],
    }
    texts = texts_of(listed, body)
    return {**body, "title": texts.title, "text": texts.text, "link": texts.link, "color": texts.color}


def shared(tables: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return what all tables have in common."""
    return {key: value for key, value in tables[0].items() if all(other.get(key) == value for other in tables)}


def texts_of(alerts: Sequence[MessageAlert], body: Json) -> Texts:
    """Return the texts of a message by Alertmanager's own template, and a line on what it does not list."""
    data = _template_data(alerts, body)
    title, text, link, color = (_part(name, data) for name in ("title", "text", "link", "color"))
    notes = []
    if more := body["truncatedAlerts"]:
        notes.append(f"{more} more alert{'s' * (more != 1)} of this group are not listed.")
    if left := body["leftOut"]:
        notes.append(f"{left} change{'s' * (left != 1)} could not be sent at the time, because of most_an_hour.")
    return Texts(title, "\n".join([text, *notes]), link, color)


def _part(name: str, data: Mapping[str, Any]) -> str:
    return named(_template(), f"driftgauge.{name}", data).strip()


@lru_cache(1)
def _template() -> Any:
    return read_template((shipped_folder() / TEMPLATE).read_text(encoding="utf-8"))


class _Alerts(list[Any]):
    """The alerts of a message, as the template names them."""

    def field(self, name: str) -> list[Any]:
        """Return the alerts that are `Firing` or `Resolved`."""
        return [own for own in self if own["Status"] == name.lower()]


def _template_data(alerts: Sequence[MessageAlert], body: Json) -> Mapping[str, Any]:
    """Return a message under the names that Alertmanager's templates have."""
    return {
        "Status": body["status"],
        "Receiver": body["receiver"],
        "GroupLabels": body["groupLabels"],
        "CommonLabels": body["commonLabels"],
        "CommonAnnotations": body["commonAnnotations"],
        "ExternalURL": body["externalURL"],
        "Alerts": _Alerts(
            {
                "Status": "firing" if own.ended_at is None else "resolved",
                "Labels": own.labels,
                "Annotations": own.annotations,
                "StartsAt": Moment(own.fired_at),
                "EndsAt": Moment(own.ended_at or 0.0),
            }
            for own in alerts
        ),
    }
