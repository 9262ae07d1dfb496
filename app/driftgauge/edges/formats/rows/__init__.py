"""Rows of Python values or JSON, read as the columns of a baseline."""
