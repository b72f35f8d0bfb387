"""Makers of labels by people who are not all alike; the graph names them only where it asks."""
