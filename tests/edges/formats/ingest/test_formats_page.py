from __future__ import annotations

import re
from datetime import UTC
from pathlib import Path

import pytest
from driftgauge.edges.formats.ingest.cloud_events import CloudEventDecoder
from driftgauge.edges.formats.ingest.formats import FORMATS, Format, decoder_of

from tests.monitors import small_baseline

PAGE = Path(__file__).parents[4] / "docs" / "ingest-formats.md"
SECTION = re.compile(r"^## [^\n]*: (`.*?`)\n```json\n(.*?)```", re.DOTALL | re.MULTILINE)
EXAMPLES = SECTION.findall(PAGE.read_text(encoding="utf-8"))
EXPECTED = {"jsonl": (2, 1), "bentoml": (4, 0), "fluent_bit": (3, 0), "sagemaker": (2, 1), "kserve": (2, 0)}
"""Rows and labels of the examples."""


def test_the_page_has_an_example_of_each_format() -> None:
    assert tuple(re.findall(r"`(\w+)`", " ".join(names for names, _ in EXAMPLES))) == FORMATS


@pytest.mark.parametrize("kind", EXPECTED)
def test_every_example_of_the_page_is_read(kind: Format) -> None:
    decoder = decoder_of(kind, small_baseline(), UTC, ("stays", "leaves"))
    example = next(text for names, text in EXAMPLES if f"`{kind}`" in names)
    decoded = decoder.decode(example.encode())
    assert decoded.refused == []
    rows = decoded.rows
    if isinstance(decoder, CloudEventDecoder):
        halves = decoded.halves
        joined = decoder.joined([(halves[0], halves[1]), (halves[2], halves[3])])
        assert joined.refused == []
        rows = joined.rows
    assert rows is not None
    assert (len(rows), len(decoded.labels)) == EXPECTED[kind]
    assert rows.columns[0, 0] == 41.5
