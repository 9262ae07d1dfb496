"""`POST /ingest/…` and `POST /validation`: bodies in MessagePack."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import msgpack
import pytest

from tests.examples import Example
from tests.ingesting import post, records, rows, watching


@pytest.mark.parametrize("path", ["/ingest/elsewhere", "/validation"])
def test_records_come_in_messagepack_too(binary: Example, tmp_path: Path, path: str) -> None:
    headers = {"content-type": "application/msgpack"}
    time_of = msgpack.ExtType(0, struct.pack(">II", 1_799_999_940, 0))
    event = [[time_of, {}], {"features": binary.rows(1)[0], "prediction": 0.25}]
    body = b"".join(map(msgpack.packb, [*records(binary, 3), event]))
    with watching(binary, tmp_path) as server:
        assert rows(post(server, body + b"\xc1", path, headers=headers)) == (4, 0, 1)
        assert rows(post(server, gzip.compress(body), path, headers=headers)) == (0, 4, 0)
