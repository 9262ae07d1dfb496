"""The source of the dashboards: queries, panels, and one package for each dashboard."""
