"""Proxies with a planted error."""
