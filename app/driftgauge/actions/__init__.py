"""Actions on alerts: which alert leads to which action, the guards before it, its history, and what runs it."""
