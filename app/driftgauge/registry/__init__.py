"""Registry: registered model versions of MLflow, the bundles that they hold, and the alias that a server follows."""
