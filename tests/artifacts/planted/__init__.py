"""What is planted in proxies and in what they learn from."""
