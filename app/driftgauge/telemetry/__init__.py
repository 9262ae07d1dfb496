"""Sends metrics and traces to a collector of OpenTelemetry, by OTLP.

Nothing here is imported unless the settings name a collector.
"""
