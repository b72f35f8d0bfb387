"""Streams in the graph, and the command that reads them."""
