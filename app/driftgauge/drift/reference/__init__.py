"""The baseline: bins, expected ranges and dependence of the reference."""
