"""Take the pictures of docs/pictures/: a server whose model of deliveries drifts, from a fixed seed."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import httpx
import numpy as np
import pandas as pd
from driftgauge.about import About
from driftgauge.main import create_app
from driftgauge.models.bundle import Bundle, load_bundle
from driftgauge.models.creation.create import create_bundle
from driftgauge.settings.options import Settings
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.e2e.browser import browser, opened
from tests.servers import serving

FOLDER: Final = Path(__file__).parent / "pictures"
MOST_BYTES: Final = 200_000
START: Final = 1_781_000_000.0
"""The replay begins here, seconds since 1970."""
DAY: Final = 86_400.0
STEP: Final = 600.0
ROWS: Final = 90
"""Rows of each step."""
BROKEN_AT: Final = 17.5 * 3_600.0
"""When the app begins to send grams, and a coupon that nobody knew."""
TARGET: Final = "late"


@dataclass(frozen=True)
class Picture:
    """A picture of one address."""

    name: str
    path: str
    size: tuple[int, int]
    scheme: Literal["light", "dark"] = "light"


PICTURES: Final = (
    Picture("page-light", "/", (1_200, 1_000)),
    Picture("page-dark", "/", (1_200, 1_000), "dark"),
    Picture("page-phone", "/", (375, 812)),
    Picture("feature-light", "/?feature=weight_kg", (1_200, 1_000)),
    Picture("feature-dark", "/?feature=coupon", (1_200, 1_000), "dark"),
    Picture("feature-phone", "/?feature=weight_kg", (375, 812), "dark"),
)


def deliveries(rng: np.random.Generator, rows: int, *, broken: bool) -> pd.DataFrame:
    """Return deliveries; a broken app sends weights in grams, and a new coupon."""
    coupons = ["none", "first order", "family"]
    frame = pd.DataFrame(
        {
            "distance_km": rng.gamma(2.0, 1.6, rows),
            "weight_kg": rng.gamma(3.0, 0.6, rows) * (1_000.0 if broken else 1.0),
            "items": rng.poisson(3.0, rows) + 1.0,
            "coupon": rng.choice(coupons, rows, p=[0.7, 0.2, 0.1]),
            "temperature": rng.normal(12.6 if broken else 12.0, 6.0, rows),
            "rain_mm": np.where(rng.random(rows) < 0.7, 0.0, rng.gamma(1.0, 2.0, rows)),
            "couriers_free": rng.poisson(9.0, rows) * 1.0,
            "open_orders": rng.poisson(20.0, rows) * 1.0,
            "kitchen_minutes": rng.normal(17.0, 4.0, rows),
            "rating": np.round(rng.beta(8.0, 2.0, rows) * 5.0, 1),
            "first_order": rng.random(rows) < 0.2,
        }
    )
    if broken:
        frame.loc[rng.random(rows) < 0.06, "coupon"] = "summer"
    return frame


def late(rng: np.random.Generator, frame: pd.DataFrame) -> Any:
    """Return which deliveries come late."""
    risk = 0.35 * frame["distance_km"] + 0.12 * frame["kitchen_minutes"] - 0.2 * frame["couriers_free"]
    return (risk + 0.3 * frame["rain_mm"] + rng.logistic(size=len(frame)) > 1.8).to_numpy()


def bundle_in(folder: Path) -> Bundle:
    """Fit the model and return its bundle."""
    rng = np.random.default_rng(1)
    tables = [deliveries(rng, rows, broken=False) for rows in (20_000, 5_000)]
    training, held_out = (table.assign(**{TARGET: late(rng, table)}) for table in tables)
    numbers = [str(name) for name in tables[0] if name != "coupon"]
    encode = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown="ignore"), ["coupon"]), ("number", StandardScaler(), numbers)]
    )
    estimator = make_pipeline(encode, LogisticRegression(max_iter=500))
    estimator.fit(tables[0], training[TARGET])
    about = About(
        owner="Logistics team",
        contact="logistics@example.org",
        docs_url="https://wiki.example.org/delivery-late",
        description="Says whether a delivery will be late.",
    )
    create_bundle(
        estimator,
        training,
        TARGET,
        name="delivery-late",
        version="2026.6",
        out=folder / "bundle",
        evaluation=held_out,
        about=about,
    )
    return load_bundle(folder / "bundle")


@contextmanager
def served() -> Iterator[str]:
    """Serve the model, with a day of deliveries behind it; yields the address."""
    with TemporaryDirectory() as folder:
        now = [START]
        settings = Settings(state_dir="memory", learning_seconds=0, evaluation_rest_factor=0.0, log_level="error")
        app = create_app(settings, bundle=bundle_in(Path(folder)), clock=lambda: now[0])
        with serving(app) as client:
            replay(client, lambda at: now.__setitem__(0, at))
            yield str(client.base_url).rstrip("/")


def replay(client: httpx.Client, set_clock: Callable[[float], None]) -> None:
    """Send a day of deliveries, fewer at night."""
    rng = np.random.default_rng(2)
    for step in range(int(DAY / STEP) + 1):
        passed = step * STEP
        set_clock(START + passed)
        rows = int(ROWS * (1.0 + 0.6 * math.sin(passed / DAY * 2.0 * math.pi)))
        frame = deliveries(rng, rows, broken=passed >= BROKEN_AT)
        client.post("/predict", json={"instances": frame.to_dict("records")}).raise_for_status()
        client.get("/drift/status").raise_for_status()
    client.post("/predict", json={"instances": [{"distance_km": "far"}]})


def take(folder: Path = FOLDER) -> None:
    """Take every picture."""
    folder.mkdir(exist_ok=True)
    with served() as address, browser() as chromium:
        for picture in PICTURES:
            with opened(chromium, picture.size, picture.scheme) as tab:
                tab.page.goto(f"{address}{picture.path}")
                path = folder / f"{picture.name}.png"
                tab.page.screenshot(path=path)
                if tab.complaints or path.stat().st_size > MOST_BYTES:
                    sys.exit(f"{picture.name}: {path.stat().st_size:,} bytes, {tab.complaints}")


if __name__ == "__main__":
    take()
