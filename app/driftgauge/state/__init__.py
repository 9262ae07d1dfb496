"""Rows, counters and evidence in files that all workers of a model share."""
