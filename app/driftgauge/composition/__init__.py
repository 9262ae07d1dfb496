"""Puts the parts of a service together: its models, what watches them, their releases and their ground truth."""
