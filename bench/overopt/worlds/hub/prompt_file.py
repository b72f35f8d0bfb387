"""Prompts of a file in the order of the file, for policies that were not trained here."""

from __future__ import annotations

from pathlib import Path

from overopt.errors import UserError
from overopt.spec.hub import DataOrigin, HubSpec, TaskWorldSpec
from overopt.spec.origins import ModelOrigin
from overopt.spec.world import WorldSpec
from overopt.worlds.hub.conversations import Turn, flat_text
from overopt.worlds.hub.data import Example, read_examples
from overopt.worlds.hub.world import HubWorld

COLUMN = "prompt"
MOST_PROMPTS = 20_000


class PromptFile(HubWorld):
    """All prompts of a file; none is for training.

    Args:
        reference: its tokenizer reads the prompts.
        path: .txt with one prompt a line, or .jsonl, .json or .parquet with a column ``prompt``.
        form: text with ``{prompt}``, or ``chat``.
        max_new_tokens: longest response.

    Raises:
        UserError: whatever is wrong with the folder or the file.
    """

    def __init__(self, reference: ModelOrigin, path: str, form: str, max_new_tokens: int) -> None:
        if form != "chat" and form.count("{prompt}") != 1:
            raise UserError(f"--template {form}: give chat, or text with {{prompt}} in it once")
        self._path = Path(path)
        hub = HubSpec(
            policy=reference,
            prompts=DataOrigin(path=path, prompt=COLUMN),
            format=form,
            response_tokens=max_new_tokens,
        )
        spec = TaskWorldSpec(kind="hub", seed=0, train_prompts=1, heldout_prompts=1, hub=hub)
        super().__init__(spec, hub)

    def _choose(self, spec: WorldSpec) -> tuple[list[Example], list[Example]]:
        """No prompt for training, and all of the file, held out, in its order."""
        if not self._path.is_file():
            raise UserError(f"--prompts {self._path}: there is no such file; give one")
        if self._path.suffix == ".txt":
            examples = _lines(self._path)
        else:
            examples = read_examples(self._hub.prompts, "--prompts")
        if not examples or len(examples) > MOST_PROMPTS:
            raise UserError(
                f"--prompts {self._path}: it has {len(examples)} prompts; give 1 to "
                f"{MOST_PROMPTS:,}, of which 100 or more make narrow intervals"
            )
        longest, _ = self._longest_prompt()
        seen: dict[tuple[int, ...], Example] = {}
        for example, ids in zip(
            examples, self._encode_prompts([one.prompt for one in examples]), strict=True
        ):
            if longest is not None and len(ids) > longest:
                raise UserError(
                    f"--prompts {self._path}: the prompt {flat_text(example.prompt)[:40]!r} has "
                    f"{len(ids)} tokens, and with {self.response_tokens_max} of a response exceeds "
                    f"the reference's context; shorten it, or lower --max-new-tokens"
                )
            if tuple(ids) in seen:
                raise UserError(
                    f"--prompts {self._path}: the prompt {flat_text(example.prompt)[:40]!r} occurs "
                    "twice; prompts are what intervals are over, so give each once"
                )
            seen[tuple(ids)] = example
        return [], examples


def _lines(path: Path) -> list[Example]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--prompts {path}: cannot be read as text ({error})") from error
    return [Example((Turn("user", line),), None, None, None) for line in lines if line.strip()]
