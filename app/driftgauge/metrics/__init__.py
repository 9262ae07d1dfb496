"""Every Prometheus series, and the text that Prometheus scrapes."""
