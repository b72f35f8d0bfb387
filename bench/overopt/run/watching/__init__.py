"""Nodes of what is seen along runs, and the files that hold it."""
