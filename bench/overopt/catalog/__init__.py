"""Finds declarations by name without running them."""
