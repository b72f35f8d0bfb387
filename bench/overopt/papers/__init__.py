"""One file per reproduced paper: its grid, its figures, its claims with rules fixed beforehand."""
