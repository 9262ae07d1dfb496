from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from driftgauge.edges.http.body_reader import BodyReader
from driftgauge.edges.http.encodings import Coding, Gzip, coding_of, gzipped, inflated, wants_gzip
from driftgauge.errors import Reason, Refused
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.examples import Example
from tests.served import Served, served


def raw(body: bytes) -> bytes:
    """A body in deflate without a frame, as some programs send it."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(body) + compressor.flush()


WAYS: dict[str, tuple[Coding, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "gzip in two members": ("gzip", lambda body: gzip.compress(body[:7]) + gzip.compress(body[7:])),
    "gzip filled up with zeros": ("gzip", lambda body: gzip.compress(body) + bytes(512)),
    "zlib": ("deflate", zlib.compress),
    "zlib without compression": ("deflate", lambda body: zlib.compress(body, 0)),
    "raw deflate": ("deflate", raw),
}


def whole(body: bytes, coding: Coding) -> bytes:
    return b"".join(inflated(body, coding))


def refused(body: bytes, coding: Coding) -> Refused:
    with pytest.raises(Refused) as caught:
        whole(body, coding)
    return caught.value


# ---------------------------------------------------------------- what comes in


@pytest.mark.parametrize("way", WAYS)
@given(st.binary() | st.integers(1, 300_000).map(lambda size: b"ab" * size))
def test_what_was_compressed_is_read(way: str, body: bytes) -> None:
    coding, compress = WAYS[way]
    assert whole(compress(body), coding) == body


@pytest.mark.parametrize("way", WAYS)
def test_what_is_cut_short_is_refused_wherever_it_is_cut(way: str) -> None:
    coding, compress = WAYS[way]
    body = json.dumps({"features": list(range(50))}).encode()
    sent = compress(body)
    ends = {len(gzip.compress(body[:7])), *range(len(sent) - 512, len(sent))} if coding == "gzip" else set()
    for length in range(len(sent)):
        if length not in ends or sent[length:].strip(b"\0"):
            if way == "gzip in two members" and length in ends:
                continue  # the first member is whole
            assert refused(sent[:length], coding).reason is Reason.DAMAGED_ENCODING, length


@given(st.sampled_from(["gzip", "deflate"]), st.binary())
def test_what_is_something_else_is_refused(coding: Coding, body: bytes) -> None:
    assume(coding == "gzip" or not body or body[0] & 7 not in (1, 3))  # a raw block that may be whole
    error = refused(body, coding)
    assert error.reason is Reason.DAMAGED_ENCODING
    assert coding in error.message


@pytest.mark.parametrize("way", ["gzip", "zlib", "raw deflate"])
@pytest.mark.parametrize("more", [b"x", b"\0x", b"{}" * 1000])
def test_what_is_followed_by_something_else_is_refused(way: str, more: bytes) -> None:
    coding, compress = WAYS[way]
    assert refused(compress(b"{}") + more, coding).reason is Reason.DAMAGED_ENCODING


def test_a_changed_byte_is_noticed() -> None:
    sent = bytearray(gzip.compress(b"{}" * 100))
    sent[-6] ^= 1  # of the checksum
    assert refused(bytes(sent), "gzip").reason is Reason.DAMAGED_ENCODING


def test_pieces_are_small_however_much_a_body_would_become() -> None:
    for coding, bomb in (("gzip", gzip.compress(bytes(50_000_000))), ("deflate", raw(bytes(50_000_000)))):
        pieces = inflated(bomb, coding)  # type: ignore[arg-type]
        assert max(len(next(pieces)) for _ in range(20)) <= 65_536


def test_many_empty_members_are_refused_before_they_cost_anything() -> None:
    assert whole(gzip.compress(b"") * 16 + gzip.compress(b"{}"), "gzip") == b"{}"
    pieces = inflated(gzip.compress(b"") * 400_000, "gzip")
    assert sum(1 for _ in itertools.takewhile(lambda piece: not piece, _until_refused(pieces))) < 100


def _until_refused(pieces: Iterator[bytes]) -> Iterator[bytes]:
    with pytest.raises(Refused, match="too many empty members"):
        yield from pieces


class Inflater:
    """An inflater that counts the bytes it is given, of all inflaters."""

    given = 0
    new = staticmethod(zlib.decompressobj)

    def __init__(self, bits: int) -> None:
        self._inner = self.new(bits)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def decompress(self, data: bytes, most: int) -> bytes:
        Inflater.given += len(data)
        return self._inner.decompress(data, most)


def test_many_members_cost_no_more_than_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "decompressobj", Inflater)

    def given(count: int) -> int:
        Inflater.given = 0
        assert whole(gzip.compress(b"x") * count, "gzip") == b"x" * count
        return Inflater.given

    assert given(20_000) < 20 * given(2_000)  # square would be a hundred


def test_a_bomb_is_refused_once_it_is_too_large_and_its_bytes_given_back() -> None:
    reader = BodyReader(100_000, 1_000_000)

    async def read() -> bytes:
        with reader.pending() as pending:
            return await reader.inflate(gzip.compress(bytes(50_000_000)), "gzip", pending)

    with pytest.raises(Refused) as caught:
        asyncio.run(read())
    assert caught.value.reason is Reason.BODY_TOO_LARGE
    assert caught.value.detail == {"limit": 100_000}
    assert reader.pending_bytes == 0


def test_others_have_their_turns_while_a_body_is_inflated() -> None:
    reader = BodyReader(50_000_000, 100_000_000)
    body = gzip.compress(bytes(30_000_000))
    turns = 0

    async def watch() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def read() -> int:
        watching = asyncio.create_task(watch())
        with reader.pending() as pending:
            count = len(await reader.inflate(body, "gzip", pending))
        watching.cancel()
        return count

    assert asyncio.run(read()) == 30_000_000
    assert turns > 5


@pytest.mark.parametrize(
    ("told", "coding"),
    [
        ([], None),
        (["identity"], None),
        ([""], None),
        (["Identity, identity"], None),
        (["gzip"], "gzip"),
        (["X-GZip"], "gzip"),
        (["identity", " gzip "], "gzip"),
        (["deflate"], "deflate"),
    ],
)
def test_the_coding_is_what_the_header_says(told: list[str], coding: Coding | None) -> None:
    headers = [(b"content-encoding", value.encode()) for value in told]
    assert coding_of([(b"host", b"a"), *headers]) == coding


@pytest.mark.parametrize("told", [["br"], ["zstd"], ["compress"], ["gzip, gzip"], ["gzip", "deflate"], ["\xff"]])
def test_other_codings_and_several_are_refused(told: list[str]) -> None:
    with pytest.raises(Refused) as caught:
        coding_of([(b"content-encoding", value.encode("latin-1")) for value in told])
    assert caught.value.reason is Reason.UNSUPPORTED_ENCODING
    assert "gzip, deflate" in caught.value.message


# ---------------------------------------------------------------- what goes out


@pytest.mark.parametrize(
    ("accept", "compressed"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("gzip;q=0.5", True),
        ("gzip ; q=0.5 , *;q=0", True),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=0.5, identity;q=0.4", True),
        ("gzip;q=0", False),
        ("gzip;q=0.0, *", False),
        ("*", True),
        ("*;q=0, identity", False),
        ("identity;q=0, gzip", True),
        ("deflate, br", False),
        ("identity", False),
        ("gzip;q=high", False),
        ("gzip;q=nan", False),
        ("gzip;q=2", False),
        (",,gzip;level=5", True),
    ],
)
def test_an_answer_is_compressed_where_that_is_wanted(accept: str | None, compressed: bool) -> None:
    assert wants_gzip(accept) is compressed


@pytest.mark.parametrize("accept", ["identity;q=0", "*;q=0", "gzip;q=0, identity;q=0", "br, *;q=0"])
def test_where_nothing_is_acceptable_it_is_said(accept: str) -> None:
    with pytest.raises(Refused) as caught:
        wants_gzip(accept)
    assert caught.value.reason is Reason.NOT_ACCEPTABLE


@given(st.lists(st.binary(max_size=50) | st.integers(1, 200_000).map(lambda size: b"metric " * size), max_size=8))
def test_pieces_are_compressed_as_one(pieces: list[bytes]) -> None:
    async def compressed() -> bytes:
        answer = Gzip(ThreadPoolExecutor(1))
        for piece in pieces:
            await answer.add(piece)
        return answer.finish()

    assert gzip.decompress(asyncio.run(compressed())) == b"".join(pieces)
    assert gzip.decompress(gzipped(b"".join(pieces))) == b"".join(pieces)


# ---------------------------------------------------------------- over HTTP


@pytest.fixture(scope="module")
def server(binary: Example) -> Iterator[Served]:
    with served(binary, max_body_bytes=200_000) as running:
        yield running


@pytest.mark.parametrize("path", ["/predict", "/v2/models/binary/infer", "/v2/models/binary/versions/1.2/infer"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("rows", [1, 1_000])
def test_every_route_that_predicts_reads_a_compressed_body(
    path: str, way: str, rows: int, server: Served, binary: Example
) -> None:
    cells = [[float(value) for value in row.values()] for row in binary.rows() * 6][:rows]
    tensor = {"name": "x", "shape": [rows, 6], "datatype": "FP64", "data": cells}
    body = json.dumps({"data": cells} if path == "/predict" else {"inputs": [tensor]}).encode()
    coding, compress = WAYS[way]
    plain = server.client.post(path, content=body)
    assert plain.status_code == 200
    answer = server.client.post(path, content=compress(body), headers={"content-encoding": coding})
    assert answer.status_code == 200
    if path == "/predict":
        assert [row["score"] for row in answer.json()["predictions"]] == [
            row["score"] for row in plain.json()["predictions"]
        ]
    else:
        assert answer.json()["outputs"][:2] == plain.json()["outputs"][:2]


@pytest.mark.parametrize("path", ["/predict", "/v2/models/binary/infer"])
@pytest.mark.parametrize(
    ("coding", "body", "status", "code"),
    [
        ("gzip", gzip.compress(b" " * 200_001, mtime=0), 413, "body_too_large"),
        ("gzip", gzip.compress(bytes(50_000_000), mtime=0), 413, "body_too_large"),
        ("deflate", raw(bytes(50_000_000)), 413, "body_too_large"),
        ("gzip", b"{}", 400, "damaged_encoding"),
        ("gzip", b"", 400, "damaged_encoding"),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-1], 400, "damaged_encoding"),
        ("gzip", gzip.compress(b"\xff", mtime=0), 400, "not_utf8"),
        ("br", b"{}", 415, "unsupported_encoding"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), 415, "unsupported_encoding"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    path: str, coding: str, body: bytes, status: int, code: str, server: Served
) -> None:
    answer = server.client.post(path, content=body, headers={"content-encoding": coding})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert (error["code"] if path == "/predict" else error.partition(":")[0]) == code
    assert answer.headers.get("accept-encoding") == ("gzip, deflate" if status == 415 else None)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize("shape", ["records", "dataframe_records", "dataframe_split"])
def test_large_tables_are_read_in_every_form(
    shape: str, marked: bool, compressed: bool, server: Served, binary: Example
) -> None:
    rows = (binary.rows() * 7)[:1_300]
    expected = [server.predict({"features": row}).json()["score"] for row in rows[:190]]
    names = list(reversed(binary.names))
    split = {"columns": names, "index": list(range(1_300)), "data": [[row[name] for name in names] for row in rows]}
    sent: dict[str, object] = {
        "records": rows,
        "dataframe_records": {"dataframe_records": rows},
        "dataframe_split": {"dataframe_split": split},
    }
    body = (b"\xef\xbb\xbf" if marked else b"") + json.dumps(sent[shape]).encode()
    assert len(body) > 65_536
    answer = server.client.post(
        "/predict",
        content=gzip.compress(body) if compressed else body,
        headers={"content-encoding": "gzip"} if compressed else {},
    )
    assert answer.status_code == 200
    assert [row["score"] for row in answer.json()["predictions"][:190]] == pytest.approx(expected)
    reader = server.context.model().predict.reader
    assert (reader.pending_bytes, reader.pending_rows) == (0, 0)
