"""A FastAPI service that has its model monitored."""

from __future__ import annotations

import joblib
import pandas as pd
from driftgauge import Monitor
from fastapi import FastAPI
from pydantic import BaseModel


class Flight(BaseModel):
    """A flight, before it departs."""

    carrier: str
    hour: int
    distance: float


model = joblib.load("model.joblib")
monitor = Monitor.open("baseline.json", name="flights", version="1", state_dir="state")
app = FastAPI()
app.mount("/monitoring", monitor.asgi())


@app.post("/predict")
def predict(flight: Flight) -> dict[str, float]:
    """Return how likely the flight is late."""
    row = flight.model_dump()
    late = float(model.predict_proba(pd.DataFrame([row]))[0, 1])
    monitor.observe(row, prediction=late)
    return {"late": late}
