"""`driftgauge consume`: its options are settings, and say what these say."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from driftgauge.cli.model_options import BaselineFile, Task, Version, model_by_baseline
from driftgauge.cli.serve import Flag, Fresh, Given, Insecure, with_flags

FLAGS: Final = (
    Flag("kafka_brokers", "HOST:PORT,…", "Kafka", flag="--brokers"),
    Flag("kafka_topics", "NAME", "Kafka", is_repeatable=True, flag="--topic"),
    Flag("kafka_group", "NAME", "Kafka", flag="--group"),
    Flag("kafka_format", "FORMAT", "Kafka", flag="--format"),
    Flag("kafka_profile_out", "FOLDER", "Kafka", flag="--profile-out"),
    Flag("host", "ADDRESS", "Server"),
    Flag("port", "PORT", "Server"),
    Flag("tokens_file", "FILE", "Access"),
    Flag("state_dir", "FOLDER", "State"),
    Flag("clock", "arrival|event", "State"),
    Flag("log_format", "auto|json|console", "Logs"),
    Flag("log_level", "debug|info|warning|error", "Logs"),
)
"""The settings that are asked for most; all of them can be set by environment or file."""

Name = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Name of the model; with --config, which of its models the messages are of.",
        rich_help_panel="Model",
    ),
]
Beginning = Annotated[
    bool,
    typer.Option(
        "--from-beginning",
        help="Read partitions that no state of the group has read yet from their first message, whatever others "
        "have committed. With a new group, --fresh-state and --clock event this repeats a report.",
        rich_help_panel="Kafka",
    ),
]


@with_flags(FLAGS)
def consume(
    *,
    baseline: BaselineFile = None,
    model: Name = None,
    model_version: Version = None,
    task: Task = None,
    from_beginning: Beginning = False,
    insecure: Insecure = False,
    fresh_state: Fresh = False,
    config: Given = None,
    **flags: Any,
) -> None:
    """Monitor a model that others serve by the messages of Kafka topics.

    Each message is counted exactly once, also when the process is killed. Metrics, status and page are those of
    `driftgauge serve`. Processes of one group share the partitions, with one state folder or with one each; start each
    with the same folder again. docs/kafka.md says more.

    Examples:
      driftgauge consume --brokers kafka:9092 --topic predictions --baseline baseline.json --model churn
    """
    from driftgauge.process.consume import run
    from driftgauge.process.serve import Started

    own = {**flags, "kafka_topics": ",".join(flags.pop("kafka_topics") or []) or None}
    models, model = model_by_baseline(baseline, model, model_version, task)
    given = {**own, **models, "kafka_from_beginning": from_beginning or None, "insecure": insecure or None}
    run(Started(given, config, fresh_state=fresh_state), model)
