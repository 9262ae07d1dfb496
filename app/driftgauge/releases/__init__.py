"""Releases: which version of each model answers, which one runs as a shadow, and how that came about."""
