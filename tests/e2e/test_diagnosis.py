"""A server is sent rows in another unit: the command, the route and the page name the cause."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from driftgauge.models.creation.create import create_bundle
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tests.e2e.browser import PHONE, opened, tab
from tests.e2e.processes import answers, free_port, run, running, until

pytestmark = pytest.mark.e2e

SETTINGS = {
    "DRIFTGAUGE_WINDOWS": "500,2000",
    "DRIFTGAUGE_LEARNING_SECONDS": "0",
    "DRIFTGAUGE_EVALUATION_REST_FACTOR": "0",
    "DRIFTGAUGE_STATE_DIR": "memory",
}
KILOMETRES = 1.609344
AT_ONCE = 250


def table(seed: int, rows: int) -> pd.DataFrame:
    """Return journeys, in miles; late ones are long and in the afternoon."""
    rng = np.random.default_rng(seed)
    distance, hour = rng.gamma(4.0, 300.0, rows), rng.integers(6, 22, rows)
    load = rng.normal(100.0, 15.0, rows)
    late = rng.random(rows) < 1.0 / (1.0 + np.exp(-((distance - 1_200.0) / 400.0 + (hour - 14.0) / 4.0)))
    return pd.DataFrame({"distance": distance, "hour": hour, "load": load, "late": late.astype(int)})


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a server of a model whose importances are known."""
    known = table(1, 4_000)
    names = ["distance", "hour", "load"]
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(known[names], known["late"])
    create_bundle(model, known, "late", name="late", version="1", out=tmp_path / "bundle", evaluation=table(2, 1_000))
    port, log = free_port(), tmp_path / "log"
    serve = ("serve", "--bundle", str(tmp_path / "bundle"), "--port", str(port))
    with running(*serve, log=log, env=SETTINGS) as process:
        found = f"http://127.0.0.1:{port}"
        until(lambda: answers(found), process, log)
        yield found


def send(address: str, seed: int, factor: float = 1.0) -> None:
    """Send 2,000 rows, with the distance in another unit."""
    sent = table(seed, 2_000).drop(columns="late")
    sent["distance"] *= factor
    rows = sent.to_dict("records")
    for first in range(0, len(rows), AT_ONCE):
        part = {"instances": rows[first : first + AT_ONCE]}
        httpx.post(f"{address}/predict", json=part, timeout=60.0).raise_for_status()


def first_cause(address: str) -> dict[str, Any]:
    asked = run("diagnose", "--url", address, "--model", "late", "--json")
    assert asked.returncode == 1, (asked.stdout, asked.stderr)
    (found,) = json.loads(asked.stdout)["models"]
    assert found["state"] == "wrong"
    assert found["dependence"]["feature"] == found["causes"][0]["columns"][0]
    return dict(found["causes"][0])


def test_usual_rows_are_fine_and_the_column_in_another_unit_is_named(address: str) -> None:
    send(address, 3)
    quiet = run("diagnose", "--url", address)
    assert (quiet.returncode, "late 1: nothing is wrong" in quiet.stdout) == (0, True), quiet
    send(address, 4, KILOMETRES)
    first = first_cause(address)
    assert (first["kind"], first["columns"]) == ("unit_change", ["distance"])
    assert first["importance"] > 0.3
    shown = run("diagnose", "--url", address)
    assert shown.returncode == 1
    assert "1. Change of unit of distance, since" in shown.stdout
    assert "Over the reference's values of distance the mean score is" in " ".join(shown.stdout.split())
    commands = [own["command"] for own in first["actions"] if (own["command"] or "").startswith("curl")]
    assert commands
    for command in commands:
        url = command.split()[-1].strip("'")
        assert httpx.get(url, timeout=60.0).status_code == httpx.codes.OK, url
    gone = run("diagnose", "--url", "http://127.0.0.1:9")
    assert gone.returncode == 2
    assert "is the server running there?" in gone.stderr


def test_the_page_shows_the_diagnosis_to_which_a_notification_leads(address: str) -> None:
    send(address, 5)
    with tab() as own:
        own.page.goto(f"{address}/diagnosis?model=late")
        assert own.page.url.endswith("/?model=late#diagnosis")
        assert "Nothing is wrong" in own.page.inner_text("#diagnosis")
        send(address, 6, KILOMETRES)
        own.page.goto(f"{address}/")
        section = own.page.locator("section.diagnosis")
        assert "Most likely: Change of unit: distance" in section.inner_text()
        assert section.locator("code").first.inner_text().startswith("curl -s ")
        assert section.locator("svg.over-time path.value").count() == 1
        own.page.click("#diagnosis-steps summary")
        assert "Ground truth" in section.inner_text()
        assert not own.scrolls_sideways
        assert own.complaints == []
        browser = own.page.context.browser
        assert browser is not None
        with opened(browser, PHONE) as phone:
            phone.page.goto(f"{address}/")
            assert phone.page.locator("section.diagnosis").count() == 1
            assert not phone.scrolls_sideways
