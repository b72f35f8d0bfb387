"""Makers of what several iterations of merging start from."""
