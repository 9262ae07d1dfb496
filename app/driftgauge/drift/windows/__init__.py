"""Windows of rows and of time: how rows become counts."""
