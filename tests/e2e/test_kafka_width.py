"""Consumers with a state each share the partitions of a topic: all rows are counted once, whatever is killed."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import pytest
from driftgauge.checks.profile_check import ProfileCheck
from driftgauge.checks.profile_files import read_profile
from driftgauge.checks.report_json import as_bytes
from driftgauge.drift.reference.baseline import dumps
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import answers, running, until
from tests.e2e.test_consume import Consume, finished
from tests.messages import Broker, mock_cluster
from tests.monitors import AWKWARD, small_baseline

pytestmark = [pytest.mark.e2e, pytest.mark.long]

TOPICS: Final = ("wide-0", "wide-1", "wide-2")
PARTITIONS: Final = 4
"""Of each topic: 12 in all."""
ROWS: Final = 60_000
CHUNK: Final = 500
CITIES: Final = ("north", "south", AWKWARD, "elsewhere")
PROPERTIES: Final = {
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 500,
    "partition.assignment.strategy": "roundrobin",
}


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Broker]:
    with mock_cluster() as address:  # which gives up a member that is killed after its session, as Kafka does
        yield Broker(tmp_path, int(address.rpartition(":")[2]))


class Rows:
    """Seeded rows as messages, and their recount by numpy."""

    def __init__(self) -> None:
        rng = np.random.default_rng(27)
        self.age = np.where(rng.random(ROWS) < 0.02, np.nan, rng.normal(42.0, 12.0, ROWS))
        self.flag = rng.integers(0, 2, ROWS)
        self.city = rng.choice(len(CITIES), ROWS, p=[0.4, 0.3, 0.2, 0.1])
        self.prediction = rng.beta(2.0, 3.0, ROWS)

    def messages(self) -> list[bytes]:
        ages = [None if np.isnan(age) else age for age in self.age.tolist()]
        rows = zip(ages, self.flag.tolist(), self.city.tolist(), self.prediction.tolist(), strict=True)
        return [
            json.dumps({"features": {"age": age, "flag": flag, "city": CITIES[city]}, "prediction": score}).encode()
            for age, flag, city, score in rows
        ]

    def counts(self) -> dict[str, list[int]]:
        """Return the rows in each bin by feature: below, within and above the edges; and those without a value."""
        columns = dict(zip(small_baseline().names, small_baseline().columns, strict=True))
        found = {}
        for name, values in (("age", self.age), ("prediction", self.prediction)):
            edges = np.array(columns[name].bins.edges)
            known = values[~np.isnan(values)]
            inside = np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1).tolist()
            found[name] = sorted([*inside, int(np.isnan(values).sum())])
        found["flag"] = sorted(np.bincount(self.flag, minlength=2).tolist())
        found["city"] = sorted(np.bincount(self.city, minlength=len(CITIES)).tolist())
        return {name: [count for count in counts if count] for name, counts in found.items()}


class Member(Consume):
    """A consumer with a state folder of its own, which may be killed and started again."""

    def __init__(self, kafka: Broker, baseline: Path, folder: Path, profiles: Path, group: str = "group") -> None:
        more = [text for topic in TOPICS[1:] for text in ("--topic", topic)]
        more += ["--profile-out", str(profiles)]
        super().__init__(kafka, TOPICS[0], baseline, folder, "--from-beginning", *more, group=group)
        self.folder = folder
        self.env["DRIFTGAUGE_KAFKA_PROPERTIES"] = json.dumps(PROPERTIES)

    @contextmanager
    def started(self) -> Iterator[Any]:
        with running(*self.arguments, log=self.log, env=self.env) as process:
            self.process = process
            yield process

    def until(self, condition: Any) -> None:
        """Wait until a condition holds, not before the process answers."""
        until(lambda: answers(self.address), self.process, self.log, 120.0)
        until(condition, self.process, self.log, 120.0)

    def sample(self, name: str) -> float:
        """Return a sum of samples; 0 while the process starts or is dead."""
        try:
            return super().sample(name)
        except httpx.TransportError:
            return 0.0

    @property
    def rows(self) -> int:
        return int(self.sample("model_observations_total"))

    @property
    def partitions(self) -> int:
        return int(self.sample("model_ingest_partitions"))

    def bins(self) -> Counter[tuple[str, str]]:
        """Return the rows in each bin that has any, by feature."""
        text = httpx.get(
            f"{self.address}/metrics", params={"name[]": "model_feature_bin_rows_total"}, timeout=60.0
        ).text
        samples = [own for family in text_string_to_metric_families(text) for own in family.samples]
        return Counter(
            {
                (own.labels["feature_name"], own.labels["bin"]): int(own.value)
                for own in samples
                if own.name == "model_feature_bin_rows_total"
            }
        )


def summed(members: list[Member]) -> dict[str, list[int]]:
    """Return the rows in each bin of all members together, as `Rows.counts` does."""
    total: Counter[tuple[str, str]] = Counter()
    for own in members:
        total.update(own.bins())
    names = {name for name, _ in total}
    return {name: sorted(count for (own, _), count in total.items() if own == name and count) for name in names}


def test_rows_of_twelve_partitions_are_counted_once_by_consumers_that_join_are_killed_and_come_back(
    kafka: Broker, tmp_path: Path
) -> None:
    rows, path = Rows(), tmp_path / "baseline.json"
    path.write_text(dumps(small_baseline()))
    messages, may_end = rows.messages(), threading.Event()

    def send(first: int) -> None:
        topic = TOPICS[first // CHUNK % len(TOPICS)]
        kafka.send(topic, messages[first : first + CHUNK], PARTITIONS, first=first)

    def produce() -> None:
        """Send all rows, the last of them once the test says so."""
        for first in range(CHUNK * len(TOPICS), ROWS, CHUNK):
            send(first)
            may_end.wait(0.1 if first < ROWS // 2 else 60.0)

    members = [Member(kafka, path, tmp_path / name, tmp_path / "of-all") for name in "abcd"]
    a, b, c, d = members
    with ExitStack() as stack:
        for first in range(0, CHUNK * len(TOPICS), CHUNK):
            send(first)
        for own in (a, b, c):
            stack.enter_context(own.started())
        a.until(lambda: [own.partitions for own in (a, b, c)] == [4, 4, 4])
        producer = threading.Thread(target=produce, daemon=True)
        producer.start()
        killed_at = a.rows + 1_000
        a.until(lambda: a.rows > killed_at)
        a.process.kill()  # while rows arrive
        a.process.wait(timeout=30)
        stack.enter_context(d.started())  # one more joins
        d.until(lambda: [own.partitions for own in (b, c, d)] == [4, 4, 4])
        stack.enter_context(a.started())  # the killed one comes back with its state
        a.until(lambda: [own.partitions for own in members] == [3, 3, 3, 3])
        may_end.set()
        producer.join(120.0)
        a.until(lambda: sum(own.rows for own in members) >= ROWS)
        for own in members:
            own.until(lambda own=own: own.sample("model_ingest_lag_messages") == 0.0)
            own.until(lambda own=own: own.status()["rows_observed"] == own.rows)
        assert all(own.rows > 0 for own in members)
        assert sum(own.rows for own in members) == ROWS
        assert summed(members) == rows.counts()
        for own in members:
            finished(own.process)
    one = Member(kafka, path, tmp_path / "one", tmp_path / "of-one", "another")
    with one.started():
        one.until(lambda: one.rows == ROWS)
        finished(one.process)
    assert len(list((tmp_path / "of-all").iterdir())) == len(members)
    assert report(tmp_path / "of-all") == report(tmp_path / "of-one")


def report(folder: Path) -> dict[str, Any]:
    """Return what a check says of all profiles of a folder, without their names."""
    profiles = [read_profile(path) for path in folder.iterdir()]
    found: dict[str, Any] = json.loads(as_bytes(ProfileCheck(small_baseline(), profiles).report(now=1_800_000_000.0)))
    assert found["rows_observed"] == ROWS
    assert len(found.pop("partitions")) == len(profiles)
    return found
