"""Gradual drift: windows of weeks, compared with the normal variation between days."""
