"""Rounds of verification: world seeds that neither side can choose, committed and revealed."""
