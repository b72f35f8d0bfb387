"""Makers of what a reward-side system has of its own; the graph names them only where it asks."""
