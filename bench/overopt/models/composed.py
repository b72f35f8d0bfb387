"""Composed policies: several models put together at every token, used like one language model.

    log pi(v | prefix) = sum of c_i log pi_i(v | prefix) + w (V(prefix + v) - mean V) + constant

Raw logits take the place of log-probabilities, from which they differ by a constant in v. So the
policy is the softmax of one row of logits like any other: it is sampled, enumerated and compared
with its reference by the code that does so with a single model, and its KL per token is exact.
Each member reads and decodes as it does alone; only logits are put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from pydantic import ValidationError
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from overopt.errors import UserError
from overopt.models.decoding import Decoder, Start, read_prompts
from overopt.models.folders import RECIPE, load_folder
from overopt.models.logprobs import suppressed_ids
from overopt.spec.recipe import Recipe


class ComposedOutput(NamedTuple):
    """What a forward pass returns, under the names that causal language models use.

    logits: (B, L, V), unnormalized.
    """

    logits: Tensor


@dataclass(frozen=True)
class ComposedConfig:
    """What samplers ask of a model's configuration.

    num_hidden_layers: of all members together, since each keeps keys and values; heads and width
        are those of the widest.
    """

    vocab_size: int
    max_position_embeddings: int
    num_hidden_layers: int
    num_attention_heads: int
    hidden_size: int
    eos_token_id: int | list[int] | None


class ComposedPolicy(nn.Module):
    """A causal language model that is put together from others.

    Args:
        policies: each with its weight c; the first lends its generation settings.
        value: a language model whose output for token v is V(prefix + v), or None.
        value_weight: w.
        top_k: tokens that the value's term touches, the likeliest of the policies' part; 0: all.

    Raises:
        ValueError: without a policy, or if the vocabularies differ.
    """

    def __init__(
        self,
        policies: Sequence[tuple[PreTrainedModel, float]],
        value: PreTrainedModel | None = None,
        value_weight: float = 0.0,
        top_k: int = 0,
    ) -> None:
        super().__init__()
        models = [model for model, _ in policies] + ([] if value is None else [value])
        sizes = {int(model.config.vocab_size) for model in models}
        if not policies or len(sizes) > 1:
            raise ValueError(f"a policy is composed of models of one vocabulary, not {sizes}")
        first = models[0]
        self.members = nn.ModuleList([model.to(first.device) for model in models])
        self.weights = tuple(weight for _, weight in policies)
        self.value_weight, self.top_k = value_weight, top_k
        self.generation_config = first.generation_config
        widest = max(models, key=lambda model: int(model.config.hidden_size)).config
        self.config = ComposedConfig(
            vocab_size=sizes.pop(),
            max_position_embeddings=min(int(m.config.max_position_embeddings) for m in models),
            num_hidden_layers=sum(int(model.config.num_hidden_layers) for model in models),
            num_attention_heads=widest.num_attention_heads,
            hidden_size=widest.hidden_size,
            eos_token_id=first.config.eos_token_id,
        )
        self._suppressed = suppressed_ids(first)
        self.eval()

    @property
    def device(self) -> torch.device:
        """Where the members are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the first member's weights."""
        return next(self.parameters()).dtype

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        use_cache: bool = False,
        logits_to_keep: int = 0,
        output_hidden_states: bool = False,
    ) -> ComposedOutput:
        """Logits (B, L, V) of what follows; the arguments are those of any causal language model.

        Raises:
            ValueError: if hidden states are asked for, of which there is no one set, or keys and
                values, which are the members'.
        """
        if output_hidden_states or use_cache:
            raise ValueError("a composed policy has no hidden states and no cache of its own")
        read = [
            member(
                input_ids=input_ids,
                attention_mask=attention_mask,
                use_cache=False,
                logits_to_keep=logits_to_keep,
            ).logits
            for member in self.members
        ]
        return ComposedOutput(self.combine(read))

    def read_prompts(self, prompt_DL: Tensor, prompt_R: Tensor, new_tokens: int) -> Start:
        """Each member reads the prompts and goes on by itself, as ``models.decoding`` has it."""
        starts = [read_prompts(one, prompt_DL, prompt_R, new_tokens) for one in self.members]
        decoders = [start.decoder for start in starts]
        return Start(_Decoders(self, decoders), self.combine([start.logits_RV for start in starts]))

    def combine(self, read: Sequence[Tensor]) -> Tensor:
        """Logits (..., V) out of those of each member, the value model's last."""
        logits: Tensor = sum(
            (weight * wide(one) for weight, one in zip(self.weights, read, strict=False)),
            start=torch.zeros((), device=read[0].device),
        )
        if len(read) > len(self.weights):
            logits = logits + value_shift(
                logits, wide(read[-1]), self.value_weight, self.top_k, self._suppressed
            )
        return logits


class _Decoders:
    """One of each member."""

    def __init__(self, policy: ComposedPolicy, members: Sequence[Decoder]) -> None:
        self._policy, self._members = policy, members

    def step(self, token_A: Tensor) -> Tensor:
        return self._policy.combine([member.step(token_A) for member in self._members])

    def keep(self, row_K: Tensor) -> None:
        for member in self._members:
            member.keep(row_K)


def wide(logits: Tensor) -> Tensor:
    """At least float32: differences of members are small where these agree."""
    return logits if logits.dtype == torch.float64 else logits.float()


def value_shift(
    logits: Tensor, value: Tensor, weight: float, top_k: int, suppressed: Sequence[int]
) -> Tensor:
    """w (V - mean of V over the k likeliest tokens) for these tokens, 0 for all others.

    Args:
        logits: (..., V), by which tokens are likely.
        value: (..., V), V of the prefix with each token appended.
        weight: w.
        top_k: k; 0 for every token that can be emitted.
        suppressed: tokens that are never emitted, and are none of the k.

    Reference: Han et al., "Value Augmented Sampling for Language Model Alignment and
        Personalization", https://arxiv.org/abs/2405.06639; formula from the authors' code.
    """
    likely = logits.index_fill(
        -1, torch.tensor(suppressed, device=logits.device).long(), -torch.inf
    )
    emitted = logits.shape[-1] - len(suppressed)
    chosen = likely.topk(min(top_k or emitted, emitted), dim=-1).indices
    value_K = value.gather(-1, chosen)
    shift_K = weight * (value_K - value_K.mean(-1, keepdim=True))
    return torch.zeros_like(logits).scatter(-1, chosen, shift_K)


def open_composed(folder: Path) -> ComposedPolicy:
    """The policy of a recipe's folder, in evaluation mode.

    Raises:
        UserError: if the recipe is not one, or a folder that it names holds no model.
    """
    text = (folder / RECIPE).read_text(encoding="utf-8")
    try:
        recipe = Recipe.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{folder / RECIPE}: {where}: {first['msg']}.") from error

    def model_of(place: str) -> PreTrainedModel:
        return load_folder(AutoModelForCausalLM, (folder / place).resolve())

    policies = [(model_of(term.folder), term.weight) for term in recipe.policies]
    if recipe.value is None:
        return ComposedPolicy(policies)
    value = recipe.value
    return ComposedPolicy(policies, model_of(value.folder), value.weight, value.top_k)
