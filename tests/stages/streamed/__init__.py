"""Pools too large to be kept."""
