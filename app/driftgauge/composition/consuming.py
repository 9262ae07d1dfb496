"""Puts a consumer of Kafka together: what it reads goes into the monitoring of one model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from zoneinfo import ZoneInfo

from driftgauge.composition.ingestion import model_intake
from driftgauge.edges.formats.ingest.formats import decoder_of
from driftgauge.edges.http.monitoring import Monitoring
from driftgauge.edges.kafka.consumer import KafkaConsumer
from driftgauge.edges.kafka.kept_rows import KeptRows
from driftgauge.edges.kafka.options import KafkaOptions
from driftgauge.edges.kafka.profile_keeper import ProfileKeeper
from driftgauge.edges.kafka.rows import RowTaker
from driftgauge.errors import SettingsError
from driftgauge.ingestion.records import PairDecoder
from driftgauge.settings.options import Settings


def kafka_options(settings: Settings) -> KafkaOptions:
    """Return what the settings say of Kafka; SettingsError without brokers or topics."""
    if settings.kafka_brokers is None:
        raise SettingsError("no brokers: give --brokers ADDRESS (or kafka_brokers)")
    if not settings.kafka_topics:
        raise SettingsError("no topic: give --topic NAME (or kafka_topics)")
    return KafkaOptions(
        settings.kafka_brokers,
        settings.kafka_topics,
        settings.kafka_group,
        settings.kafka_from_beginning,
        settings.kafka_properties,
    )


def consume_into(monitoring: Monitoring, settings: Settings, name: str | None, clock: Callable[[], float]) -> None:
    """Have the messages of Kafka read into a model, the only one by default, once the server starts.

    SettingsError for settings that cannot be used, Refused for a model that there is not.
    """
    model = monitoring.model(name)
    monitor, intake = model.monitor, model_intake(model, monitoring.predictions)
    zone, classes = ZoneInfo(settings.ingest_time_zone), model.logged.model.classes or ()
    decoder = decoder_of(settings.kafka_format, monitor.baseline, zone, classes, settings.outcome_kinds)
    take = partial(intake.take, pairs=decoder if isinstance(decoder, PairDecoder) else None)
    keeper = KeptRows(monitor, intake.parts.log, intake.parts.seen, take)
    limits = settings.kafka_lag_threshold_warning_messages, settings.kafka_lag_threshold_critical_messages
    out = settings.kafka_profile_out
    profile = None if out is None else ProfileKeeper(monitor, out, model.problems)
    taker = RowTaker(monitor, decoder, keeper, clock, profile)
    options = replace(kafka_options(settings), model=model.model_name)
    consumer = KafkaConsumer(options, taker, model.problems, limits=limits)
    monitoring.streams[model.model_name, model.model_version] = consumer
