"""Nodes of policies that are merged, in one iteration or several."""
