"""A run's way along KL: when to measure it, which policies to keep, what to write down of them."""
