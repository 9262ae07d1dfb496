"""All models of all servers as their Prometheus knows them, and which are stale, missing or inconsistent."""
