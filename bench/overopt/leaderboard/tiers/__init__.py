"""The tiers of a submission's check that need no code of its own: ``t0`` and ``t1``."""
