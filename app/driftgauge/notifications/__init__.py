"""Notifications without Prometheus and Alertmanager: the same rules on the server's own metrics, and the same texts.

`samples` keeps the newest samples of `/metrics`, `promql` evaluates expressions on them, `rules` says which alerts
fire, `templates` fills the texts, `planner` decides who is notified when, `store` remembers it, `receivers` deliver.
"""
