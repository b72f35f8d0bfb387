"""Training runs of one policy each: gains along KL, where gold turns, and the gap to the proxy."""
