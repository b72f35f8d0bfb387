"""Forms of gold against KL: fitted, held out, per seed and per prompt."""
