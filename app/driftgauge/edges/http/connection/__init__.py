"""Connections of the HTTP server: their protocol, limits and refusals."""
