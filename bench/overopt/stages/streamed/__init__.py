"""Pools too large to be kept: what a stream of samples leaves behind."""
