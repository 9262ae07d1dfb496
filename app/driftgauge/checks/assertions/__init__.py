"""Assertions on tables, for pipelines and tests: a small language, its functions, and their values."""
