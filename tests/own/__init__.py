"""Methods of a user's own, for tests of what no shipped method shows alone."""

from pathlib import Path

MIXTURE = Path(__file__).parent / "mixture.py"
"""Composes its policy of the initial one and the trained one of another method's run."""

VALUED = Path(__file__).parent / "valued.py"
"""Learns values of prefixes from the proxy, and adds them at every token."""

SIFTED = Path(__file__).parent / "sifted.py"
"""Resamples between tokens."""

COOLED = Path(__file__).parent / "cooled.py"
"""Chooses the temperature of its samples, and has greedy opponents."""

SHOWN = Path(__file__).parent / "shown.py"
"""Builds pairs of demonstrations and opponents."""

STEPPED = Path(__file__).parent / "stepped.py"
"""Reads the score of each step."""
