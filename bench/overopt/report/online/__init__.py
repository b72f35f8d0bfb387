"""What methods that learn from fresh samples cost, and how many of their seeds diverge."""
