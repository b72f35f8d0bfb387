"""Engines: what supplies batches and gradient steps to the mathematics of a method."""
