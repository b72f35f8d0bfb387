"""What follows from a pool of the initial policy: best-of-n, its relatives, the oracle front."""
