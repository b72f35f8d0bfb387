"""``bench admit``: which tasks can carry a ranking."""
