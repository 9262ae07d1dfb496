"""Who may ask for what: the file of tokens, and the callers and scopes that it names."""
