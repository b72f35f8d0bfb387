"""``bench leaderboard``: who is best in each track, and on whose word."""
