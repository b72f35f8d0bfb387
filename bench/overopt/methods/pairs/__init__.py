"""Methods that learn from preference pairs."""
