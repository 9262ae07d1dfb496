"""All models of all servers, as Prometheus knows them: which are stale, missing or inconsistent."""
