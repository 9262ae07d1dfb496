"""Receivers of messages: Slack, Teams, mail, any webhook, and a file."""
