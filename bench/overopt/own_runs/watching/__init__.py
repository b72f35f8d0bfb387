"""Monitors on training runs that are not ours."""
