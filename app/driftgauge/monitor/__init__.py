"""Records the rows of a model, schedules evaluations and publishes reports."""
