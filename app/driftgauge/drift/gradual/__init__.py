"""Gradual drift: windows of weeks, judged by how much days differ by themselves."""
