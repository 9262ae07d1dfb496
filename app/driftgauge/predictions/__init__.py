"""The prediction log: every prediction with its inputs, in SQLite or PostgreSQL, to be joined with its ground truth."""
