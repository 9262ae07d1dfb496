"""The page of a model, and the same as one file: from a drift report to HTML."""
