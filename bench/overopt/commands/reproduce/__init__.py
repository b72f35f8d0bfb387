"""``bench reproduce``: published claims, judged."""
