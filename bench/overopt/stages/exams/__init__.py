"""Exams of reward models: sets that are drawn once for a world, and what proxies make of them."""
