"""Performance of a model against the ground truth: mergeable counts, metrics with intervals, verdicts."""
