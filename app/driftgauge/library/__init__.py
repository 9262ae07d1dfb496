"""Monitoring inside other programs: `driftgauge.Monitor`, fed by their own code."""
