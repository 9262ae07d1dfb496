"""Every option, read from flags, environment and TOML file."""
