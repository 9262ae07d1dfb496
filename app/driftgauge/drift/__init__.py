"""The statistics of drift: numbers and frozen dataclasses in, numbers and frozen dataclasses out."""
