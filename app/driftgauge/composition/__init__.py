"""Puts the parts of a service together: its models, what serves and watches them, and what surrounds them."""
