"""Diagnostics of policies and proxies along a run: texts, likelihoods, lengths."""
