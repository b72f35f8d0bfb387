"""Testing what an entry claims: its policies sampled again, its method run again."""
