"""The HTTP server: its routes, refusals and limits."""
