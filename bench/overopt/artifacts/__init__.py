"""Readers of what the stages made."""
