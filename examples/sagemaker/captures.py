"""Stands in for training and an endpoint: writes train.csv, and two days of captures, the second with drift."""

import csv
import json
from pathlib import Path

import numpy as np

FEATURES = ("age", "income", "debt")
ENDPOINT = Path("captures", "credit-endpoint", "AllTraffic")
rng = np.random.default_rng(7)


def row(older: float = 0.0) -> list[float]:
    """Return the features of one customer, and the model's probability of a default."""
    age, income = rng.normal(45 + older, 12), rng.lognormal(10, 0.4)
    debt = rng.uniform(0, income / 2)
    return [round(age, 1), round(income), round(debt), round(debt / income, 3)]


def capture(number: int, at: str, older: float) -> str:
    """Return a line of data capture."""
    *features, score = row(older)
    half = {"observedContentType": "text/csv", "encoding": "CSV"}
    return json.dumps(
        {
            "captureData": {
                "endpointInput": {**half, "mode": "INPUT", "data": ",".join(map(str, features))},
                "endpointOutput": {**half, "mode": "OUTPUT", "data": str(score)},
            },
            "eventMetadata": {"eventId": f"event-{number}", "inferenceTime": at},
            "eventVersion": "0",
        }
    )


with Path("train.csv").open("w", newline="") as file:
    table = csv.writer(file)
    table.writerow([*FEATURES, "prediction"])
    table.writerows(row() for _ in range(5_000))

for hour in range(48):
    day, of_day = divmod(hour, 24)
    folder = ENDPOINT / f"2026/11/{day + 1:02}/{of_day:02}"
    folder.mkdir(parents=True, exist_ok=True)
    times = [f"2026-11-{day + 1:02}T{of_day:02}:{minute:02}:00Z" for minute in range(60)]
    lines = [capture(hour * 60 + minute, at, 20.0 * day) for minute, at in enumerate(times)]
    (folder / "59-59-000-captured.jsonl").write_text("\n".join(lines) + "\n")
