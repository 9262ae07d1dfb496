"""Waiting requests put into batches; each batch is predicted once."""
