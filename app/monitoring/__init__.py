"""What Prometheus and Alertmanager are told: scraping, recording rules, alerts, routes, as files for them."""
