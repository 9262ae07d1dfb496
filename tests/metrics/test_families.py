from __future__ import annotations

from driftgauge.metrics.facts import ServerFacts
from driftgauge.metrics.families import described, families
from driftgauge.metrics.render import render
from prometheus_client.parser import text_string_to_metric_families

from tests.expositions import facts_of
from tests.monitors import START, small_monitor, some_rows


def test_families_are_those_that_a_parser_reads_from_the_text() -> None:
    monitor = small_monitor()
    monitor.observe(some_rows(500), arrival=START)
    monitor.evaluate(START)
    facts, server = [facts_of(monitor)], ServerFacts((), {}, 0.001)
    text, _ = render("text/plain", facts, server)
    parsed = [own for own in text_string_to_metric_families(text.decode()) if own.name != "python_info"]
    found = list(families(facts, server))
    assert repr(found) == repr(parsed)
    assert {(own.name, own.type) for own in found} <= {(own.name, own.type) for own in described()}
