from __future__ import annotations

import json
from pathlib import Path

import pytest
from driftgauge.common.rfc3339 import EARLIEST, LATEST
from driftgauge.state.traffic import TRAFFIC_FILE, ColumnTraffic, Traffic, read_traffic, write_traffic
from hypothesis import given
from hypothesis import strategies as st

from tests.states import unhurried

_COLUMNS = st.builds(
    ColumnTraffic,
    st.floats(1.0, 1e6),
    st.floats(EARLIEST, LATEST),
)
TRAFFIC: Traffic = {"age": ColumnTraffic(2.0, 1_700_000_000.0), 'a/b \n "ü"': ColumnTraffic(11.3, 0.25)}


@unhurried
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), _COLUMNS, max_size=4))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, traffic: dict[str, ColumnTraffic]) -> None:
    folder = tmp_path_factory.mktemp("model")
    write_traffic(folder, TRAFFIC, "1")
    write_traffic(folder, traffic, "1")
    assert read_traffic(folder) == traffic
    assert [path.name for path in folder.iterdir()] == [TRAFFIC_FILE]


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert read_traffic(tmp_path) == {}


def test_other_users_cannot_read_it(tmp_path: Path) -> None:
    write_traffic(tmp_path, TRAFFIC, "1")
    assert (tmp_path / TRAFFIC_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[1]",
        b"{",
        b"[" * 100_000,
        json.dumps({"age": 3}).encode(),
        json.dumps({"age": {"since": 0.0}}).encode(),
        json.dumps({"age": {"autocorrelation_rows": 0.5, "since": 0.0}}).encode(),
        json.dumps({"age": {"autocorrelation_rows": 1.0, "since": None}}).encode(),
        b'{"age": {"autocorrelation_rows": Infinity, "since": 0.0}}',
        b'{"age": {"autocorrelation_rows": 1.0, "since": NaN}}',
        b'{"age": {"autocorrelation_rows": 1.0, "since": 1e300}}',
        b'{"age": {"autocorrelation_rows": 1.0, "since": -1e13}}',
        b'{"age": {"autocorrelation_rows": 1%s, "since": 0.0}}' % (b"0" * 400),
    ],
)
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / TRAFFIC_FILE).write_bytes(content)
    with pytest.raises(ValueError, match=r"traffic\.json is damaged"):
        read_traffic(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_traffic(tmp_path, TRAFFIC, "1")

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_traffic(tmp_path, {}, "2")
    monkeypatch.undo()
    assert read_traffic(tmp_path) == TRAFFIC
    assert [path.name for path in tmp_path.iterdir()] == [TRAFFIC_FILE]
