"""What is read of the proxies of several rounds."""
