"""A Flask service that has its model monitored; a request holds one flight or many."""

from __future__ import annotations

from typing import Any

import joblib
import pandas as pd
from driftgauge import Monitor
from flask import Flask, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

model = joblib.load("model.joblib")
monitor = Monitor.open("baseline.json", name="flights", version="1", state_dir="state")
app = Flask(__name__)
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/monitoring": monitor.wsgi()})


@app.post("/predict")
def predict() -> dict[str, Any]:
    """Return how likely each flight is late."""
    rows = pd.DataFrame(request.get_json()["flights"])
    late = model.predict_proba(rows)[:, 1]
    monitor.observe(rows, prediction=late)
    return {"late": late.tolist()}
