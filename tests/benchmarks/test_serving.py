"""The benchmark of serving: its arithmetic, its processes, and one short run of all of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import typer
from rich.progress import Progress

from benchmarks.contestants.catalogue import BARE, CONTESTANTS, MONITORED, UNLOGGED, UNMONITORED, environment, named
from benchmarks.load import Load, missing_wrk, read_result
from benchmarks.open_loop import BROKEN, Asked, Client, Latency, Outcome, http_request, outcome
from benchmarks.processes import (
    EVERY_CORE,
    Memory,
    NotStarted,
    cpu_seconds,
    free_port,
    lives,
    memory,
    on_core,
    process,
    running,
    stop,
    tree,
)
from benchmarks.processes import until_ready as wait_for
from benchmarks.serving import chosen, run_contest, run_scrape
from benchmarks.serving_models import LOGISTIC, Fitted, fit
from benchmarks.serving_report import Bar, bars, report
from benchmarks.serving_results import (
    Found,
    Offered,
    Overload,
    Phase,
    Run,
    Scraped,
    ScrapePair,
    Workers,
    WorkersLoad,
    WorkersScraped,
    typical,
    typical_difference,
    typical_ratio,
)
from benchmarks.serving_servers import Plan, ask, shortly, started
from benchmarks.serving_workers import counts_of, run_workers
from tests.e2e.programs import require

LOAD: Final = Load(requests=800, seconds=8.0, p50_ms=1.0, p99_ms=2.0, max_ms=9.0, refused=0, broken=0)
RUN: Final = Run(LOAD, LOAD, cpu_us=100.0, memory=Memory(90.0, 80.0), scrapes=16, failed_scrapes=0)
OUTCOME: Final = Outcome(10, {"200": 9, "503": 1}, 4.5, Latency(1.0, 2.0, 3.0), Latency(0.5, 4.0, 5.0), 1.0, 0.1)
SMALL: Final = replace(LOGISTIC, rows=3_000, held_out_rows=1_000)
SPENDS: Final = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]]) if len(sys.argv) > 1 else None
until = time.process_time() + 0.3
while time.process_time() < until:
    pass
print("spent", flush=True)
time.sleep(60)
"""


def _run(requests: int, cpu_us: float = 100.0, refused: int = 0) -> Run:
    return replace(RUN, throughput=replace(LOAD, requests=requests, refused=refused), cpu_us=cpu_us)


def _plan(folder: Path) -> Plan:
    return Plan(folder, 1, 1.0, 1.0, 8, 2, 0, 1, 1, 32)


@pytest.fixture(scope="session")
def wrk() -> None:
    require(missing_wrk(), in_ci=os.environ.get("CI", "").lower() in {"true", "1"})


# ---------------------------------------------------------------- processes


def test_the_cpu_time_of_a_process_is_that_of_its_children_too() -> None:
    command = [sys.executable, "-c", SPENDS, SPENDS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            assert [parent.stdout.readline() for _ in range(2)] == ["spent\n"] * 2
            family = tree(parent.pid)
            assert len(family) == 2
            assert {own.parent for own in family} == {os.getpid(), parent.pid}
            assert 0.6 <= cpu_seconds(parent.pid) <= 3.0
            assert memory(parent.pid).rss > 5.0
            assert (memory(parent.pid).pss or 0.0) <= memory(parent.pid).rss
        finally:
            stop(parent)
        assert not [own for own in family if lives(own)]
    assert tree(parent.pid) == []


def test_a_server_that_ends_is_told_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no model')"]
    log = tmp_path / "log"
    with running(command, core=0, env=os.environ, folder=tmp_path, log=log) as server:
        with pytest.raises(NotStarted, match="no model"):
            wait_for(server, lambda: False, log)
        with pytest.raises(NotStarted, match="within 0 s"):
            wait_for(_Running(), lambda: False, log, seconds=0.0)  # type: ignore[arg-type]


class _Running:
    def poll(self) -> None:
        return None


def test_a_server_is_not_given_the_callers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRIFTGAUGE_WINDOWS", "5000")
    env = environment({"MODEL": "m"})
    assert "DRIFTGAUGE_WINDOWS" not in env
    assert (env["MODEL"], env["OMP_NUM_THREADS"]) == ("m", "1")


# ---------------------------------------------------------------- arithmetic


def test_the_last_line_of_wrk_is_its_result() -> None:
    line = '{"requests": 90, "seconds": 3.0, "p50_ms": 1.5, "p99_ms": 4.0, "max_ms": 7.0, "refused": 30, "broken": 2}'
    load = read_result(f"Running 3s test\n  Requests/sec: 30.0\nresult {line}\n")
    assert load == Load(90, 3.0, 1.5, 4.0, 7.0, 30, 2)
    assert (load.failed, load.good_per_second) == (32, 20.0)
    with pytest.raises(ValueError, match="unable to connect"):
        read_result("unable to connect to 127.0.0.1")


def test_medians_and_ratios_leave_out_what_is_not_valid_or_not_there() -> None:
    rounds = [
        {BARE: _run(800), MONITORED: _run(1_600, 50.0)},
        {BARE: _run(400), MONITORED: _run(1_200, 60.0)},
        {BARE: _run(100), MONITORED: _run(900, 70.0, refused=1)},
        {MONITORED: _run(2_000, 40.0)},
    ]
    rate = [typical(rounds, name, lambda run: run.throughput.good_per_second) for name in (BARE, MONITORED, "none")]
    assert rate == [50.0, 200.0, None]
    assert typical_ratio(rounds, MONITORED, BARE, lambda run: run.throughput.good_per_second) == 2.5
    assert typical_difference(rounds, MONITORED, BARE, lambda run: run.cpu_us) == -45.0
    assert typical_ratio(rounds, MONITORED, "none", lambda run: run.cpu_us) is None
    assert not _run(0).valid
    assert RUN.core_share == pytest.approx(0.01)


def test_an_outcome_counts_from_the_time_at_which_requests_were_due() -> None:
    answers = [Asked(due=float(place), done=place + 0.01, status=200, retry_after=False) for place in range(10)]
    late = Asked(due=3.0, done=11.0, status=200, retry_after=False)
    refused = [Asked(1.0, 1.002, 503, True), Asked(2.0, 2.004, 503, False)]
    found = outcome([*answers, late, *refused, Asked(0.0, 30.0, BROKEN, False)], 10.0, [0.001, 0.002])
    assert found.statuses == {"0": 1, "200": 11, "503": 2}
    assert found.good_per_second == 1.0  # the late one came after the end
    assert found.good is not None
    assert found.good.max_ms == pytest.approx(8_000.0)
    assert found.refused is not None
    assert found.refused.p50_ms == pytest.approx(3.0)
    assert found.refused_retry_after == 0.5
    assert outcome([], 1.0, []).good is None


def test_what_was_found_is_read_as_it_was_written_and_reported(tmp_path: Path) -> None:
    phase = Phase(LOAD, OUTCOME, 8)
    scraped = Phase(replace(LOAD, p99_ms=3.0), replace(OUTCOME, good=Latency(1.0, 4.0, 9.0)), 8)
    found = Found(
        setting={"Python": "3.11"},
        plans={"contest": {"connections": "64", "latency connections": "16"}},
        contest={
            "logistic regression": [
                {BARE: _run(800, 100.0), MONITORED: _run(1_600, 60.0), UNMONITORED: _run(1_600, 50.0)},
                {BARE: _run(800, 100.0), MONITORED: _run(1_600, 60.0, refused=3), UNMONITORED: _run(1_600, 50.0)},
            ]
        },
        missing={"BentoML": "it is not there"},
        scrape={"30": [ScrapePair(phase, scraped)]},
        overload=Overload(
            32,
            100.0,
            [Offered(4.0, OUTCOME, RUN.memory, RUN.memory)],
            {"64": [LOAD], "256": [replace(LOAD, requests=720)]},
        ),
    )
    found.save(tmp_path / "found.json")
    assert Found.load(tmp_path / "found.json") == found
    text = report(found)
    assert (
        "| Driftgauge | 200 | 2.00 | 60 | 0.60 | 1.00 | 2.00 | 1.00 | 2.0 | 90 | 80 | 1 | 2, 1 invalid: 3 failed |"
        in text
    )
    assert "| Driftgauge | Driftgauge, monitoring off | 1.000 | 10.0 | 1.200 | 1.00 | 0 |" in text
    assert "Not started: BentoML, it is not there" in text
    assert "| 30 | p99 | 2.00 | 4.00 | +2.00 | 2.00 | 0.10 |" in text
    assert "| 4 × | 400 | 4 | 1 / 2 | 10.0 % | 0.5 / 4.0 / 5.0 | yes | 100 % | 0 | 0.1 | 90 → 90 |" in text
    assert "| 256 | 90 | 1.0 | 2.0 | 0.90 | 0 |" in text
    drawn = bars(found)
    assert [bar.contestant for bar in drawn] == [BARE, MONITORED, UNMONITORED]
    assert drawn[0] == Bar(BARE, "logistic regression", 100.0, 2.0)


def test_several_workers_are_compared_with_one_of_the_same_round() -> None:
    one = WorkersLoad([1], 8, 1_000, 0, 2.0, 0.1, [0.1])
    half = replace(one, each=4, cpu_seconds=0.16)
    two = replace(one, servers=[2], each=4, requests=2_000, cpu_seconds=0.22, worker_cpu_seconds=[0.05, 0.15])
    assert (two.per_second, two.cpu_us, two.cores, two.busiest) == pytest.approx((1_000.0, 110.0, 0.11, 0.75))
    quiet = Scraped(wall_ms=4.0, cpu_ms=3.0, idle_cpu_ms=1.0, scrapes=100, evaluated=1, bytes=2_048)
    scraped = WorkersScraped(quiet, replace(quiet, wall_ms=20.0, evaluated=100))
    slow = WorkersScraped(replace(quiet, wall_ms=7.0), replace(quiet, wall_ms=25.0, evaluated=95))
    odd = replace(slow, busy=replace(slow.busy, evaluated=40))
    assert (scraped.valid, odd.valid) == (True, False)
    found = Workers(
        [
            {
                "1, 8 each": one,
                "1, 4 each": half,
                "1 + 1, 4 each": replace(one, servers=[1, 1], each=4),
                "2, 4 each": two,
            },
            {"2, 4 each": two, "1, 4 each": replace(half, failed=1)},
            {"2, 4 each": two},
        ],
        [{"1": scraped, "8": slow}, {"1": scraped, "8": odd}],
        {"scrapes, 4 workers": "it ended"},
    )
    text = report(Found(workers=found))
    assert "| 1 | 8 each | 500 | 1.00 | 100.0 | 1.000 | yes | 1.000 | 1.000 | 0.05 | 100 | 1 |" in text
    assert "| 1 | 4 each | 500 | 1.00 | 160.0 | 1.000 | yes | 1.000 | 1.000 | 0.08 | 100 | 2, 1 invalid |" in text
    assert "| 1 + 1 | 4 each | 500 | 1.00 | 100.0 | 0.625 | yes | 1.000 | 1.000 | 0.05 | 100 | 1 |" in text
    assert "| 2 | 4 each | 1,000 | 2.00 | 110.0 | 0.688 | yes | 1.100 | 1.100 | 0.11 | 75 | 3 |" in text
    assert "rounds of 100 scrapes" in text
    assert (
        "| 8 | 7.00 | 1.75 | no | 3.00 | 1.00 | 1 | 25.00 | 1.25 | yes | 3.00 | 1.00 | 95 | 2 | 2, 1 invalid |" in text
    )
    assert "Failed: scrapes, 4 workers, it ended" in text
    nothing = replace(scraped, quiet=replace(quiet, cpu_ms=0.0))
    assert "| 1 | 4.00 | 1.00 | yes | – | – | 1 |" in report(Found(workers=Workers(scraped=[{"1": nothing}])))


def test_workers_that_are_missing_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(counts: Sequence[int], each: int, fitted: Fitted, plan: Plan) -> WorkersLoad:
        assert each in (4, 8)
        assert (plan.server_core, plan.load_core) == (EVERY_CORE, EVERY_CORE)
        raise NotStarted(f"{sum(counts)} workers:\nno\nmemory")

    monkeypatch.setattr("benchmarks.serving_workers.loaded", never)
    monkeypatch.setattr("benchmarks.serving_workers.LOGISTIC", SMALL)
    found = Found()
    with Progress(disable=True) as progress:
        for _ in run_workers(found, [], 1, replace(_plan(tmp_path), rounds=2), progress):
            pass
    told = {
        f"load, {servers}, {each} each": f"{workers} workers: memory"
        for each in (4, 8)
        for servers, workers in (("1", 1), ("1 + 1", 2), ("2", 2))
    }
    assert found.workers == Workers([{}, {}], [{}, {}], told)
    found.save(tmp_path / "found.json")
    assert Found.load(tmp_path / "found.json") == found


def test_numbers_of_workers_are_read_or_refused() -> None:
    assert counts_of("1, 2,8") == [1, 2, 8]
    for text in ("", "1,x", "0", "17", "2,2"):
        with pytest.raises(typer.BadParameter, match="each once"):
            counts_of(text)
    every = on_core(EVERY_CORE, ["true"])
    assert every[:2] == ["taskset", "-c"] if shutil.which("taskset") else every == ["true"]


def test_parts_of_names_choose() -> None:
    assert [own.name for own in chosen(CONTESTANTS, "mlserver, off")] == [
        UNLOGGED,
        UNMONITORED,
        "MLServer",
        "MLServer, batching",
    ]
    assert chosen(CONTESTANTS, "") == list(CONTESTANTS)
    with pytest.raises(typer.BadParameter, match="is none of"):
        chosen(CONTESTANTS, "tomcat")
    assert shortly("it ended with 1:\na\nb") == "it ended with 1: b"


# ---------------------------------------------------------------- the open loop


async def _asked(rate: float, seconds: float, connections: int) -> Client:
    """Ask a server that takes 50 ms, and refuses every other request at once."""
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                assert await reader.readexactly(length) == b'{"a": 1}'
                count += 1
                if count % 2:
                    await asyncio.sleep(0.05)
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
                    writer.write(b"ok")
                else:
                    writer.write(
                        b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                    )
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        client = Client("127.0.0.1", port, [http_request("/", "127.0.0.1", b'{"a": 1}')], connections)
        await client.run(rate, seconds, 5.0)
    return client


def test_the_open_loop_asks_on_time_and_tells_refusals() -> None:
    client = asyncio.run(_asked(100.0, 0.3, connections=30))
    found = outcome(client.every, 0.3, client.late)
    assert found.asked == 30
    assert found.statuses == {"200": 15, "503": 15}
    assert found.refused_retry_after == 1.0
    assert found.good is not None
    assert found.good.p50_ms >= 50.0


def test_what_waits_for_a_connection_is_late() -> None:
    client = asyncio.run(_asked(100.0, 0.3, connections=1))
    taken = sorted(own.done - own.due for own in client.every)
    assert len(taken) == 30
    assert taken[-1] >= 0.3  # fifteen answers of 50 ms, one after the other, in place of 0.3 s


def test_the_open_loop_gives_up_where_nobody_listens() -> None:
    client = Client("127.0.0.1", free_port(), [b"GET / HTTP/1.1\r\n\r\n"], 10)
    asyncio.run(client.run(100.0, 0.05, 5.0))
    assert [own.status for own in client.every] == [BROKEN] * 5


# ---------------------------------------------------------------- everything, shortly


@pytest.mark.long
@pytest.mark.e2e
def test_contestants_are_started_loaded_and_ended(wrk: None, tmp_path: Path) -> None:
    found, plan = Found(), _plan(tmp_path)
    contestants = [named(BARE), named(MONITORED)]
    with Progress(disable=True) as progress:
        for _ in run_contest(found, [SMALL], contestants, plan, progress):
            pass
    assert found.missing == {}
    ((model, (only,)),) = found.contest.items()
    assert model == "logistic regression, 30 features"
    assert set(only) == {BARE, MONITORED}
    for run in only.values():
        assert run.valid
        assert run.throughput.requests > 10
        assert 0.0 < run.cpu_us < 1e6 * run.throughput.seconds
        assert run.memory.rss > 30.0
    assert only[MONITORED].scrapes >= 2
    assert only[BARE].scrapes == 0
    assert BARE in report(found)


@pytest.mark.long
@pytest.mark.e2e
def test_a_server_that_answers_wrongly_does_not_take_part(tmp_path: Path) -> None:
    fitted = fit(SMALL, 3, tmp_path / "model")
    wrong = replace(named(BARE), score=lambda answer: 1.0 - float(answer["score"]))
    with pytest.raises(NotStarted, match="where the model says"), started(wrong, fitted, _plan(tmp_path)):
        pytest.fail("it was started")
    with started(named(BARE), fitted, _plan(tmp_path)) as server:
        assert ask(server.target.url, b"{}") is None
    assert process(server.pid) is None


@pytest.mark.long
@pytest.mark.e2e
def test_scrapes_are_compared_with_none(wrk: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.serving.SCRAPE_FEATURES", (3,))
    monkeypatch.setattr("benchmarks.serving.LOGISTIC", SMALL)
    found = Found()
    with Progress(disable=True) as progress:
        for _ in run_scrape(found, _plan(tmp_path), progress):
            pass
    (pair,) = found.scrape["3"]
    assert (pair.without.scrapes, pair.scraped.scrapes >= 2) == (0, True)
    assert pair.scraped.open.statuses == {"200": 200}


@pytest.mark.long
@pytest.mark.e2e
def test_workers_are_loaded_and_scraped(wrk: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.serving_workers.LOADED", [(1, 2)])
    monkeypatch.setattr("benchmarks.serving_workers.PARTS", [1])
    monkeypatch.setattr("benchmarks.serving_workers.LOGISTIC", SMALL)
    monkeypatch.setattr("benchmarks.serving_workers.SETTLE_SECONDS", 0.1)
    monkeypatch.setattr("benchmarks.serving_workers.FILL_ROWS", 2_000)
    found = Found()
    with Progress(disable=True) as progress:
        for _ in run_workers(found, [2], 10, _plan(tmp_path), progress):
            pass
    assert found.workers is not None
    assert found.workers.missing == {}
    (loads,), (scrapes,) = found.workers.load, found.workers.scraped
    load = loads["1 + 2, 8 each"]
    assert load.valid
    assert load.requests > 10
    assert len(load.worker_cpu_seconds) == 3
    assert 0.0 < sum(load.worker_cpu_seconds) <= load.cpu_seconds + 0.03
    assert scrapes["2"].busy.evaluated >= 9
    assert scrapes["2"].quiet.evaluated <= 5
    assert scrapes["2"].quiet.wall_ms > 0.0
    assert scrapes["2"].quiet.bytes > 10_000
    assert "A scrape by workers: median of 1 rounds of 10 scrapes" in report(found)
