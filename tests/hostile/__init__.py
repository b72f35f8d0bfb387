"""Seeded fuzz: what a stranger may write, spoiled at random, ends in one sentence or in none."""
