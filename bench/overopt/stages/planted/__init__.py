"""Makers of proxies that are worse than they were trained to be, by a known amount."""
