"""Sequential evidence of drift within a budget of false alarms."""
