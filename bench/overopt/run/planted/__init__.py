"""The nodes of proxies with a planted error."""
