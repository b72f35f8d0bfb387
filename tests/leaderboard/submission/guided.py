"""Coverage-guided fuzz of submission documents; needs ``atheris``, which the project does not.

    pip install atheris
    PYTHONPATH=bench:tests python -m leaderboard.submission.guided -max_total_time=600

Half of the inputs are made by libFuzzer from bytes, half by the mutator that knows the document.
What ``test_mutated`` asks of a document is asked here: refused in a sentence that names a field, or
harmless. A crash leaves its input in a file.
"""

from __future__ import annotations

import importlib
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

SEEDS = 200


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer ends the process."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["overopt", "pydantic"], enable_loader_override=False):
        importlib.import_module("overopt.leaderboard.submission.reading")
    tested = importlib.import_module("leaderboard.submission.test_mutated")
    case = importlib.import_module("leaderboard.submission.mutating").Case
    errors = importlib.import_module("overopt.errors")

    def one_input(data: bytes) -> None:
        try:
            tested.read(case(data, ()))
        except errors.UserError as error:
            assert str(error).isprintable(), str(error)

    def mutated(data: bytes, largest: int, seed: int) -> bytes:
        if random.Random(seed).random() < 0.5:
            return bytes(atheris.Mutate(data, largest))
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not document:
            return bytes(tested.MUTATOR.case(seed).content[:largest])
        try:
            made = tested.Mutator([document]).case(seed).content
        except (ValueError, RecursionError, OverflowError):
            return bytes(atheris.Mutate(data, largest))
        return bytes(made[:largest])

    with tempfile.TemporaryDirectory() as name:
        for number in range(SEEDS):
            (Path(name) / str(number)).write_bytes(tested.MUTATOR.case(number).content)
        for number, document in enumerate(tested.honest_documents()):
            (Path(name) / f"honest{number}").write_text(json.dumps(document))
        options = ["-max_len=40000", "-timeout=5", "-rss_limit_mb=2000", *arguments, name]
        atheris.Setup(["guided", *options], one_input, custom_mutator=mutated)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
