"""Do rows come from the logs of other servers, and can they be read?"""

from __future__ import annotations

from ..panels import PLAIN, RATIO, ROWS_RATE, SECONDS, AnyPanel, Text, lines
from ..queries import MODEL_IS, Query, limits, rate, rate_by

NONE = "no rows from the logs of other servers"


def ingestion() -> list[AnyPanel]:
    """Return the panels on rows from the logs of other servers."""
    return [*_records(), *_waiting()]


def _records() -> list[AnyPanel]:
    refused = f"sum({rate('model_ingest_refused_records_total', MODEL_IS)})"
    taken = f"sum({rate('model_ingest_rows_total', MODEL_IS)})"
    return [
        lines(
            Text("Rows from other servers", "Rows from the logs of other servers each second: taken, and duplicates, "
                 "which were taken before and are left out. Bad: taken falls to zero while the model serves, or "
                 "duplicates go on: a sender repeats its requests.", ROWS_RATE),
            Query(f"sum by (result) ({rate('model_ingest_rows_total', MODEL_IS)})", "{{result}}"), empty=NONE,
        ),
        lines(
            Text("Refused records by reason", "Records each second that could not be read. GET /ingest/errors lists "
                 "the last ones. Bad: any that goes on.", "cps"),
            Query(rate_by("reason", "model_ingest_refused_records_total", MODEL_IS), "{{reason}}"), empty=NONE,
        ),
        lines(
            Text("Share of refused records", "Refused records as a share of them and of rows that could be read. Bad: "
                 "above the limit.", RATIO),
            Query(f"{refused} / ({refused} + {taken} > 0)", "refused"),
            Query(f"max(model_ingest_refused_threshold_ratio{{{MODEL_IS}}})", "limit"), empty=NONE,
        ),
        lines(
            Text("Age of the newest record", "Time since the newest record arrived. Bad: above the limit: the source "
                 "has stopped.", SECONDS),
            Query(f"time() - max(model_ingest_timestamp_seconds{{{MODEL_IS}}})", "age"),
            Query(f"max(model_ingest_age_threshold_seconds{{{MODEL_IS}}})", "limit"), empty=NONE,
        ),
    ]  # fmt: skip


def _waiting() -> list[AnyPanel]:
    return [
        lines(
            Text("Requests and responses joined", "Requests and responses each second by what became of them. Bad: "
                 "expired (the other half did not come) or dropped (too many waited).", "cps"),
            Query(rate_by("result", "model_ingest_events_total", MODEL_IS), "{{result}}"), empty=NONE,
        ),
        lines(
            Text("Requests and responses waiting", "Requests and responses that wait for each other. Bad: a rise that "
                 "lasts: one of the two is not sent.", PLAIN),
            Query(f"max(model_ingest_open_events{{{MODEL_IS}}})", "waiting"), empty=NONE,
        ),
        lines(
            Text("Requests asked to come again", "Requests with records that were answered with 429 or 503 each "
                 "second, by reason. Bad: it goes on: rows come faster than they are taken.", "reqps"),
            Query(rate_by("reason", "model_ingest_deferred_total", MODEL_IS), "{{reason}}"), empty=NONE,
        ),
        lines(
            Text("Lag behind Kafka", "Messages that are not counted yet, in the partitions of all processes. Bad: "
                 "above the limit, or a rise that lasts.", PLAIN),
            Query(f"sum(model_ingest_lag_messages{{{MODEL_IS}}})", "lag"),
            limits("model_ingest_lag_threshold_messages", MODEL_IS), empty="no consumer of Kafka",
        ),
        lines(
            Text("Disturbances of Kafka", "Pauses because the log had no room, rebalances, and errors of client and "
                 "brokers, each second. Bad: any that goes on.", "cps"),
            *(Query(f"sum({rate(f'model_ingest_{name}_total', MODEL_IS)})", name)
              for name in ("pauses", "rebalances", "errors")),
            empty="no consumer of Kafka",
        ),
        lines(
            Text("Rows recovered from Kafka", "Rows that processes have counted since they started in place of one "
                 "that was killed: it had claimed their messages. None is lost or counted twice. Bad: more than zero "
                 "without a known restart, or again and again: processes are killed.", PLAIN),
            Query(f"sum by (instance) (model_ingest_recovered_rows_total{{{MODEL_IS}}})", "{{instance}}"),
            empty="no consumer of Kafka",
        ),
        lines(
            Text("Messages lost in Kafka", "Messages that Kafka had deleted when processes came to them, since these "
                 "started: they are in no count. Bad: more than zero: keep messages longer, or start more processes.",
                 PLAIN),
            Query(f"sum by (instance) (model_ingest_lost_messages_total{{{MODEL_IS}}})", "{{instance}}"),
            empty="no consumer of Kafka",
        ),
    ]  # fmt: skip
