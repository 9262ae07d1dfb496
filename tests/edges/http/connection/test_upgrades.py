from __future__ import annotations

import pytest
from driftgauge.edges.http.connection.upgrades import head_without_upgrade


@pytest.mark.parametrize(
    ("headers", "kept"),
    [
        ([(b"host", b"a"), (b"upgrade", b"h2c")], b"host: a\r\n"),
        ([(b"connection", b"Upgrade, HTTP2-Settings"), (b"http2-settings", b"AA"), (b"upgrade", b"h2c")], b""),
        ([(b"connection", b"keep-alive, Upgrade"), (b"upgrade", b"h2c")], b"connection: keep-alive\r\n"),
        ([(b"connection", b" close ,, upgrade"), (b"x", b"")], b"connection: close\r\nx: \r\n"),
        ([(b"a", b"upgrade")], b"a: upgrade\r\n"),
    ],
)
def test_a_head_keeps_all_but_the_offer(headers: list[tuple[bytes, bytes]], kept: bytes) -> None:
    assert head_without_upgrade(b"POST", b"/a?b", "1.1", headers) == b"POST /a?b HTTP/1.1\r\n" + kept + b"\r\n"
