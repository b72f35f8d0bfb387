"""Specifications of tasks, methods and runs: frozen, validated data."""
