"""The formats in which other servers log their predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Final, Literal, get_args

from driftgauge.drift.reference.baseline import Baseline
from driftgauge.edges.formats.ingest.bentoml import BentomlDecoder
from driftgauge.edges.formats.ingest.cloud_events import CloudEventDecoder
from driftgauge.edges.formats.ingest.decoder import Decoder, ModelReading
from driftgauge.edges.formats.ingest.fluent_bit import FluentBitDecoder
from driftgauge.edges.formats.ingest.own import OwnDecoder
from driftgauge.edges.formats.ingest.sagemaker import SagemakerDecoder
from driftgauge.edges.formats.label_values import OutcomeKind, OutcomeValues
from driftgauge.predictions.rows import ClassLabel

Format = Literal["jsonl", "bentoml", "fluent_bit", "sagemaker", "kserve", "azureml"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_DECODERS: Final[Mapping[str, Callable[[ModelReading], Decoder]]] = {
    "jsonl": OwnDecoder,
    "bentoml": BentomlDecoder,
    "fluent_bit": FluentBitDecoder,
    "sagemaker": SagemakerDecoder,
    "kserve": CloudEventDecoder,
    "azureml": CloudEventDecoder,
}


def decoder_of(
    kind: Format,
    baseline: Baseline,
    zone: tzinfo,
    classes: Sequence[ClassLabel] = (),
    outcomes: Mapping[str, OutcomeKind] | None = None,
) -> Decoder:
    """Return the decoder of a format for one model.

    `zone` is that of times without an offset; `classes` are the model's, empty where they are not known; `outcomes`
    are the kinds of its business outcomes by name.
    """
    return _DECODERS[kind](ModelReading(baseline, zone, classes, OutcomeValues(outcomes)))
