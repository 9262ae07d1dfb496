"""What an action does: call a URL, switch to another version, or run a command; and the condition before it."""
