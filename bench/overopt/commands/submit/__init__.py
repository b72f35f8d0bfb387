"""``bench submit``: prepares a submission to the leaderboard, and checks one as we do."""
