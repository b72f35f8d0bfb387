"""What follows from a pool of samples of the initial policy: best-of-n, its relatives, the oracle front."""
