"""Real responses that somebody scored: a world in which nothing is sampled, only chosen."""
