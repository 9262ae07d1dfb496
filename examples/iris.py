"""Fits a model of the iris data, and writes the table that a monitor compares with."""

from __future__ import annotations

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def main() -> None:
    """Write `iris.joblib` and `iris.csv`."""
    table = load_iris(as_frame=True).frame.set_axis([*COLUMNS, "species"], axis="columns")
    features, species = table[COLUMNS], table["species"]
    model = LogisticRegression(max_iter=1_000)
    # Classes of rows that the model was not fitted on: those are what it will give to live rows.
    classes = cross_val_predict(model, features, species, cv=5)
    joblib.dump(model.fit(features.to_numpy(), species), "iris.joblib")
    features.assign(prediction_class=classes).to_csv("iris.csv", index=False)


if __name__ == "__main__":
    main()
