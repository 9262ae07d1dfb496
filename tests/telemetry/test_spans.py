from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from driftgauge.metrics.series import LATENCY_BUCKETS
from driftgauge.telemetry.spans import MOST_STATE, SHOWN_IDS, CountedExporter, RequestTracer
from driftgauge.telemetry.tally import Tally
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

NOW = 1_700_000_000.0
TRACE, PARENT = "ab" * 16, "cd" * 8
TRACED = (b"traceparent", f"00-{TRACE}-{PARENT}-01".encode())
UNTRACED = (b"traceparent", f"00-{TRACE}-{PARENT}-00".encode())
HTTP: Mapping[str, Any] = {"type": "http", "method": "POST", "path": "/predict", "server": ("127.0.0.1", 8000)}


class Kept(SpanExporter):
    """Keeps spans, or waits with them, or refuses them."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.result = SpanExportResult.SUCCESS
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.has_begun = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.has_begun.set()
        self.may_go_on.wait(60.0)
        self.spans += spans
        return self.result

    def shutdown(self) -> None:
        self.may_go_on.set()


class Tracing:
    """A tracer whose spans are kept."""

    def __init__(self, ratio: float = 0.0, most: int = 512) -> None:
        self.kept = Kept()
        self.tally = Tally(None, 0, ["traces"])
        self.failed: list[str | None] = []
        self.rejected = 0
        exporter = CountedExporter(self.kept, self.tally, most, self.failed.append, lambda: self.rejected)
        self.tracer = RequestTracer(exporter, Resource({}), "1.0", ratio, most, self.tally, lambda: NOW)

    def trace(self, *headers: tuple[bytes, bytes], count: int = 1) -> None:
        for _ in range(count):
            span = self.tracer.begin({**HTTP, "headers": headers})
            if span is not None:
                span.end()

    def items(self) -> dict[str, float]:
        return {result: count for (_, result), count in self.tally.facts(NOW, 0.05).items.items()}

    def close(self) -> list[ReadableSpan]:
        self.tracer.close(60.0)
        return self.kept.spans


def test_a_callers_trace_goes_on_here_whatever_the_share() -> None:
    own = Tracing(ratio=0.0)
    own.trace(TRACED, (b"tracestate", b"vendor=1"), (b"tracestate", b"other=2"))
    (span,) = own.close()
    assert span.context is not None
    assert span.parent is not None
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, PARENT)
    assert span.context.trace_state.to_header() == "vendor=1,other=2"


def test_what_the_caller_does_not_trace_is_not_traced_here() -> None:
    own = Tracing(ratio=1.0)
    own.trace(UNTRACED)
    assert own.close() == []


@pytest.mark.parametrize(("ratio", "traced"), [(0.0, 0), (1.0, 20)])
def test_of_requests_without_a_trace_a_share_begins_one(ratio: float, traced: int) -> None:
    own = Tracing(ratio)
    own.trace(count=20)
    assert len(own.close()) == traced


def test_a_share_is_about_that_share() -> None:
    own = Tracing(0.25, most=4_096)
    own.trace(count=4_000)
    assert 800 <= len(own.close()) <= 1_200


@pytest.mark.parametrize(
    "headers",
    [
        [(b"traceparent", b"")],
        [(b"traceparent", b"00-xyz")],
        [(b"traceparent", b"\xff\xfe")],
        [(b"traceparent", f"00-{'0' * 32}-{PARENT}-01".encode())],
        [TRACED, TRACED],
    ],
)
def test_a_damaged_trace_context_counts_as_none(headers: list[tuple[bytes, bytes]]) -> None:
    none, all_of = Tracing(0.0), Tracing(1.0)
    none.trace(*headers)
    all_of.trace(*headers)
    assert none.close() == []
    (span,) = all_of.close()
    assert span.parent is None


HEX = st.text("0123456789abcdef", max_size=40).map(str.encode)
NEARLY = st.tuples(
    st.sampled_from([b"00", b"01", b"cc", b"fe", b"ff", b"FF", b"0", b"000"]) | HEX,
    st.sampled_from([TRACE.encode(), b"0" * 32, TRACE.upper().encode(), b"ab" * 15, b"ab" * 17]) | HEX,
    st.sampled_from([PARENT.encode(), b"0" * 16, b"cd" * 7]) | HEX,
    st.sampled_from([b"00", b"01", b"02", b"03", b"ff", b"1"]) | HEX,
).map(b"-".join)
ENDS = st.sampled_from([b"", b"-", b"-00", b" ", b"\t", b"\xff", b"\xc3\xa9", b"x"])
PARENTS = st.builds(bytes.__add__, NEARLY, ENDS) | st.binary(max_size=80) | st.just(b"0" * 70_000)
STATES = (
    st.binary(max_size=600)
    | st.sampled_from([b"a=1", b"a=1,b=2", b"a=" + b"1" * 70_000, b",".join([b"a=1"] * 20_000), b"=,=", b"a@b@c=1"])
    | st.lists(st.sampled_from([b"a=1", b"a=1,a=2", b"x@y=z", b" ", b"="]), max_size=40).map(b",".join)
)
HOSTILE = st.lists(
    st.tuples(st.just(b"traceparent"), PARENTS)
    | st.tuples(st.sampled_from([b"tracestate", b"baggage", b"b3"]), STATES)
    | st.just(TRACED),
    max_size=5,
)
W3C = re.compile(rb"[ \t]*(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[^\n]*)?[ \t]*")


def context_in(headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, bool] | None:
    """Return the trace id of the caller and whether it traces, as W3C Trace Context has it; None if it is invalid."""
    parents = [value for name, value in headers if name == b"traceparent"]
    found = W3C.fullmatch(parents[0]) if len(parents) == 1 else None
    if found is None or not int(found[2], 16) or not int(found[3], 16) or (found[1] == b"00" and found[5]):
        return None
    return found[2].decode(), bool(int(found[4], 16) & 1)


@given(HOSTILE)
def test_hostile_headers_begin_a_trace_of_their_own_or_go_on_with_a_valid_one(
    headers: list[tuple[bytes, bytes]],
) -> None:
    own, expected = Tracing(1.0), context_in(headers)
    own.trace(*headers)
    spans = own.close()
    if expected is None:
        (span,) = spans
        assert span.parent is None
        return
    trace_id, is_traced = expected
    assert len(spans) == is_traced
    for span in spans:
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == trace_id
        assert len(span.context.trace_state.to_header()) <= MOST_STATE


def test_a_long_tracestate_is_left_out_and_the_trace_goes_on() -> None:
    own, longest = Tracing(), b"a=" + b"1" * 200 + b",b=" + b"2" * 200 + b",c=" + b"3" * 105
    assert len(longest) == MOST_STATE + 1
    own.trace(TRACED, (b"tracestate", longest[:-1]))
    own.trace(TRACED, (b"tracestate", longest))
    kept, left_out = own.close()
    assert kept.context is not None
    assert left_out.context is not None
    assert kept.context.trace_state.to_header() == longest[:-1].decode()
    assert left_out.context.trace_state.to_header() == ""
    assert f"{left_out.context.trace_id:032x}" == TRACE


def test_a_span_says_what_was_asked_and_answered() -> None:
    own = Tracing(1.0)
    span = own.tracer.begin({**HTTP, "headers": [], "scheme": "https", "http_version": "1.1"})
    assert span is not None
    span.predicted("coin", "2", ["one", "two"])
    span.answered("POST", "/predict", 200, 0.004)
    span.end()
    (found,) = own.close()
    assert found.name == "POST /predict"
    assert dict(found.attributes or {}) == {
        "http.request.method": "POST",
        "url.path": "/predict",
        "url.scheme": "https",
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": 8000,
        "http.route": "/predict",
        "http.response.status_code": 200,
        "driftgauge.model.name": "coin",
        "driftgauge.model.version": "2",
        "driftgauge.prediction.rows": 2,
        "driftgauge.prediction.id": "one",
        "driftgauge.prediction.ids": ("one", "two"),
    }
    assert found.status.is_unset
    (exemplar,) = own.tally.facts(NOW, 0.05).exemplars["POST", "/predict"].items()
    bucket, example = exemplar
    assert LATENCY_BUCKETS[bucket - 1] < example.value <= LATENCY_BUCKETS[bucket]
    assert (example.trace_id, example.span_id) == span.ids
    assert (example.value, example.at) == (0.004, NOW)


def test_only_failures_of_the_server_are_errors_and_ids_are_bounded() -> None:
    own = Tracing(1.0)
    for code in (422, 500):
        span = own.tracer.begin({**HTTP, "headers": []})
        assert span is not None
        span.predicted("coin", "2", [str(i) for i in range(1_000)])
        span.answered("POST", "/predict", code, 0.004)
        span.end()
    refused, failed = own.close()
    assert refused.status.is_unset
    assert not failed.status.is_ok
    assert (failed.attributes or {})["error.type"] == "500"
    assert "error.type" not in (refused.attributes or {})
    ids: Any = (failed.attributes or {})["driftgauge.prediction.ids"]
    assert len(ids) == SHOWN_IDS
    assert (failed.attributes or {})["driftgauge.prediction.rows"] == 1_000


def test_what_becomes_of_spans_is_counted() -> None:
    own = Tracing(1.0)
    own.trace(count=3)
    own.close()
    assert own.items() == {"sent": 3, "failed": 0, "dropped": 0}
    assert set(own.failed) == {None}
    other = Tracing(1.0)
    other.kept.result = SpanExportResult.FAILURE
    other.trace(count=2)
    other.close()
    assert other.items() == {"sent": 0, "failed": 2, "dropped": 0}
    assert set(other.failed) == {"traces"}


def test_spans_without_room_are_dropped_and_counted_while_the_collector_does_not_answer() -> None:
    own = Tracing(1.0, most=512)
    own.kept.may_go_on.clear()
    own.trace(count=512)
    assert own.kept.has_begun.wait(60.0)  # these are being sent; as many again have room
    own.trace(count=600)
    assert own.items() == {"sent": 0, "failed": 0, "dropped": 88}
    own.kept.may_go_on.set()
    assert len(own.close()) == 1_024
    assert own.items() == {"sent": 1_024, "failed": 0, "dropped": 88}


def test_no_exemplar_leads_to_a_span_that_was_dropped() -> None:
    own = Tracing(1.0, most=512)
    own.kept.may_go_on.clear()
    own.trace(count=512)
    assert own.kept.has_begun.wait(60.0)  # these are being sent; as many again have room
    ended = []
    for seconds in [0.004] * 512 + [0.3]:
        span = own.tracer.begin({**HTTP, "headers": []})
        assert span is not None
        span.answered("POST", "/predict", 200, seconds)
        span.end()
        ended.append(span.ids[1])
    assert own.items()["dropped"] == 1
    found = own.tally.facts(NOW, 0.05).exemplars["POST", "/predict"]
    assert [one.span_id for one in found.values()] == ended[-2:-1]
    own.kept.may_go_on.set()
    own.close()


def test_at_the_end_what_cannot_be_sent_in_time_is_counted_as_dropped() -> None:
    own = Tracing(1.0)
    own.kept.may_go_on.clear()
    own.trace(count=512)
    assert own.kept.has_begun.wait(60.0)
    own.trace(count=5)
    own.tracer.close(0.05)
    assert own.items()["dropped"] == 5


def test_spans_that_are_left_at_the_end_are_counted_once() -> None:
    own = Tracing(1.0, most=1_024)
    own.kept.may_go_on.clear()
    own.trace(count=512)
    assert own.kept.has_begun.wait(60.0)
    own.trace(count=600)
    own.tracer.close(0.05)
    own.kept.may_go_on.set()
    for thread in threading.enumerate():
        if "Batch" in thread.name:
            thread.join(60.0)
    assert own.items() == {"sent": 0, "failed": 512, "dropped": 600}


def test_spans_that_the_collector_rejects_have_failed() -> None:
    own = Tracing(1.0)
    own.rejected = 1
    own.trace(count=3)
    own.close()
    assert own.items() == {"sent": 2, "failed": 1, "dropped": 0}
    assert own.failed == ["traces"]


def test_a_method_that_nobody_knows_and_a_long_path_make_no_large_span() -> None:
    own = Tracing(1.0)
    span = own.tracer.begin({**HTTP, "method": "A" * 60_000, "path": "/" * 60_000, "headers": []})
    assert span is not None
    span.answered("other", "unmatched", 404, 0.1)
    span.end()
    (found,) = own.close()
    assert found.name == "HTTP unmatched"
    assert (found.attributes or {})["http.request.method"] == "_OTHER"
    assert len(str((found.attributes or {})["url.path"])) == 1_024
