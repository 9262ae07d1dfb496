"""What is wrong, and its likely causes: pure functions of what the monitor knows."""
