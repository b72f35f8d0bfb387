"""Which tasks can carry a ranking: controls, rise and fall, and power."""
