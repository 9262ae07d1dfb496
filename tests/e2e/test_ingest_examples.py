"""The monitors of examples/ for models that others serve, run by the commands of their own pages."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import kubernetes_validate
import pytest
import yaml

from tests.e2e.processes import COMMAND, anything_answers, free_port, running, status_after, until
from tests.ingest_bodies import ROWS, recorded
from tests.messages import broker, send
from tests.pages import ROOT, blocks, commands, page

pytestmark = [pytest.mark.e2e, pytest.mark.long]

ADDRESS: Final = "localhost:8000"
BENTOML: Final = "bentoml-fluentbit-kafka"


class Running(NamedTuple):
    """A monitor that runs as its page says."""

    client: httpx.Client
    process: subprocess.Popen[bytes]
    log: Path


def prepared(name: str, folder: Path) -> Path:
    """Copy an example, and make its baseline by the commands of its page."""
    shutil.copytree(ROOT / "examples", folder / "examples")
    cwd = folder / "examples" / name
    _, train, baseline, _ = commands(blocks(page("examples", name, "README.md"), "sh")[0])
    assert (train[0], baseline[0]) == ("python", "driftgauge")
    for command in ([sys.executable, *train[1:]], [*COMMAND, *baseline[1:]]):
        subprocess.run(command, cwd=cwd, check=True, capture_output=True, timeout=120)
    return cwd


@contextlib.contextmanager
def started(command: Sequence[str], cwd: Path, **settings: str) -> Iterator[Running]:
    """Run a command of a page on a free port."""
    port, log = free_port(), cwd / "log"
    env = {**os.environ, "DRIFTGAUGE_PORT": str(port), **settings}
    assert command[0] == "driftgauge"
    with running(*command[1:], log=log, command=[*COMMAND], cwd=cwd, env=env) as process:
        address = f"http://127.0.0.1:{port}"
        until(lambda: anything_answers(address), process, log)
        with httpx.Client(base_url=address, timeout=30) as client:
            yield Running(client, process, log)


def sent(client: httpx.Client, curl: Sequence[str]) -> httpx.Response:
    """Send what a command of curl on a page sends."""
    _, _, url, *options = curl
    given = dict[str, str]()
    for option, value in zip(options[::2], options[1::2], strict=True):
        if option == "-H":
            name, _, text = value.partition(": ")
            given[name] = text
    return client.post(url.removeprefix(ADDRESS), content=options[options.index("-d") + 1], headers=given)


@pytest.mark.parametrize("name", ["kserve", "seldon"])
def test_requests_and_responses_that_a_logger_sends_are_rows(name: str, tmp_path: Path) -> None:
    text = page("examples", name, "README.md")
    first, second, *feedback = blocks(text, "sh")
    cwd = prepared(name, tmp_path)
    with started(commands(first)[3], cwd) as (client, process, log):
        request, response = [sent(client, curl) for curl in commands(second)]
        assert (request.status_code, response.status_code) == (200, 200)
        assert response.json()["rows"] == {"taken": 2, "duplicate": 0}, response.text
        assert response.json()["refused"]["records"] == 0
        status_after(2, str(client.base_url), process, log)
        for curl in (own for block in feedback for own in commands(block)):
            found = sent(client, curl).json()
            assert found["refused"]["records"] == 0
            assert found["labels"]["matched"] + found["labels"]["waiting"] == 2


def test_records_of_a_second_fluent_bit_are_rows(tmp_path: Path) -> None:
    _, second = blocks(page("examples", BENTOML, "README.md"), "sh")
    serve, curl = _serve_and_curl(second)
    with started(serve, prepared(BENTOML, tmp_path)) as (client, process, log):
        own = sent(client, curl)
        assert own.json()["rows"] == {"taken": 1, "duplicate": 0}, own.text
        body = json.loads(recorded("kafka-payload-object.json"))
        answer = client.post("/validation", json=[{**record, "partition": 1} for record in body])
        assert answer.json()["rows"] == {"taken": len(ROWS), "duplicate": 0}, answer.text
        status_after(1 + len(ROWS), str(client.base_url), process, log)


def test_a_consumer_reads_what_fluent_bit_writes_to_kafka(tmp_path: Path) -> None:
    consume = commands(blocks(page("examples", BENTOML, "README.md"), "sh")[0])[3]
    messages = [json.dumps(record["payload"]).encode() for record in json.loads(recorded("kafka-payload-object.json"))]
    cwd = prepared(BENTOML, tmp_path)
    with broker(tmp_path) as kafka:
        kafka.create("ml_logs", 1)
        send(kafka.address, "ml_logs", messages, 1)
        settings = {"DRIFTGAUGE_KAFKA_BROKERS": kafka.address, "DRIFTGAUGE_KAFKA_FROM_BEGINNING": "true"}
        with started(consume, cwd, **settings) as (client, process, log):
            status = status_after(len(ROWS), str(client.base_url), process, log)
            assert status["model_name"] == "iris_classifier"
            assert status["monitoring"]["problems"] == []


@pytest.mark.parametrize("name", ["fluent-bit.conf", "fluent-bit-http.conf"])
def test_both_fluent_bits_use_the_topic_that_the_consumer_reads(name: str) -> None:
    text, settings = page("examples", BENTOML, name), page("examples", BENTOML, "driftgauge.toml")
    assert "ml_logs" in text
    assert 'kafka_topics = "ml_logs"' in settings


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/*.yaml")), ids=lambda path: path.name)
def test_manifests_send_to_the_service_of_the_monitor(path: Path) -> None:
    own = [part for part in yaml.safe_load_all(path.read_text()) if part]
    services = [
        part["metadata"]
        for part in yaml.safe_load_all(page("examples", "kserve", "monitor.yaml"))
        if part["kind"] == "Service"
    ]
    host = "http://{name}.{namespace}.svc.cluster.local:8000/ingest/cloudevents".format_map(services[0])
    assert [logger for part in own for logger in _loggers(part)] in ([], [{"mode": "all", "url": host}])


def test_the_manifests_of_the_monitor_fit_the_schemas_of_kubernetes() -> None:
    for part in yaml.safe_load_all(page("examples", "kserve", "monitor.yaml")):
        kubernetes_validate.validate(part, "1.37", strict=True)


def _serve_and_curl(block: str) -> tuple[list[str], list[str]]:
    """Return the commands of a block whose second has a body of several lines."""
    serve, _, curl = block.partition("\n")
    return commands(serve)[0], commands(curl.replace("\n", " "))[0]


def _loggers(part: Any) -> Iterator[Any]:
    """Yield every `logger` in a manifest."""
    for name, value in part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ():
        if name == "logger":
            yield value
        else:
            yield from _loggers(value)
