"""Monitors scored on stored runs."""
