"""The table of a ``pool`` world: real responses with gold scores, and how they become tokens."""

from __future__ import annotations

from pydantic import Field

from overopt.spec.frozen import Spec


class PoolSpec(Spec):
    """Somebody's responses to prompts, with a gold score each: a parquet, csv or jsonl file.

    file: where it lies, relative to the task's file.
    digest: sha256 of its content; filled in by the program.
    prompt, response, gold, source: its columns; the source is who or what wrote the response.
    vocabulary: tokens of the tokenizer that is trained on the texts of training prompts.
    prompt_tokens, response_tokens: longest prompt and response; longer ones keep their beginning.
    """

    file: str
    digest: str = ""
    prompt: str = "prompt"
    response: str = "response"
    gold: str = "gold"
    source: str = "source"
    vocabulary: int = Field(default=1024, ge=300, le=65_536)
    prompt_tokens: int = Field(default=64, ge=4)
    response_tokens: int = Field(default=128, ge=2)
