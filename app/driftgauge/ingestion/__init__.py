"""Predictions that other servers made and logged: each is counted once, at its own time."""
