"""Sampling responses with a key-value cache: the one sampler for all axes.

Every distinct prompt is read once and its cache repeated for its samples. Rows of one batch stand
at the same position, so there is no padding and no mask: a prompt longer than the batch's shortest
is fed token by token until it ends. Rows that have finished are taken out of the batch.

Each token is drawn by inverse CDF from a uniform number that belongs to its row and position and
is drawn before the loop starts, so that neither batch size nor compaction changes a sample.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from overopt.errors import UserError
from overopt.models.decoding import read_prompts
from overopt.models.logprobs import DrawnLogps, suppressed_ids, token_logps
from overopt.models.sequences import Index
from overopt.models.weights import evaluating
from overopt.worlds.tokens import PAD, Tokens

BATCH_ROWS = 1024
_KEEP_FRACTION = 0.9
_NO_TOKEN = -1
_CACHE_BYTES = 1 << 31
_KEPT_BYTES = 1 << 28
"""Most memory for what a policy says of tokens that it does not draw."""


class Samples(NamedTuple):
    """B x N responses, prompt-major: row b * N + n is sample n of prompt b.

    responses: at most ``max_new_tokens`` tokens each, the one that ends it included.
    logp_NT: float32, log-probability in nats of each token as it was sampled, zero on padding.
    every_NTV: of every token that could have been sampled; None where it was not kept.
    """

    responses: Tokens
    logp_NT: npt.NDArray[np.float32]
    every_NTV: Tensor | None = None

    @property
    def drawn(self) -> DrawnLogps | None:
        """What the policy said of its own samples, as far as it was kept."""
        return None if self.every_NTV is None else DrawnLogps(self.logp_NT, self.every_NTV)


class _Rows(NamedTuple):
    """R rows of one batch. Columns are positions after the shortest prompt, C of them.

    prompt_DL: int64, the distinct prompts, and prompt_R which of them each row continues.
    uniform_CR: float64, the uniform number of each row and column.
    forced_CR: int64, the prompt's token where the prompt goes on, else -1.
    last_R: the column after which the token limit ends the row.
    """

    prompt_DL: Tensor
    prompt_R: Tensor
    uniform_CR: Tensor
    forced_CR: Tensor
    last_R: Tensor
    shortest: int
    spread: int


def sample(
    model: PreTrainedModel,
    prompts: Tokens,
    samples_per_prompt: int,
    max_new_tokens: int,
    generator: torch.Generator,
    batch_rows: int = BATCH_ROWS,
    keep_fraction: float = _KEEP_FRACTION,
    temperature: float = 1.0,
    keep_every: bool = False,
) -> Samples:
    """Responses of the policy, with no truncation of its distribution.

    Token y_t is the smallest v with sum over u <= v of p(u | x, y_<t) > U_t, for U_t uniform.

    Args:
        model: a causal language model.
        prompts: B prompts.
        samples_per_prompt: N.
        max_new_tokens: longest response, the ending token included.
        generator: source of the uniform numbers.
        batch_rows: most rows sampled at once; changes speed and memory only.
        keep_fraction: finished rows leave the batch once fewer than this fraction of its rows
            are unfinished; changes speed only.
        temperature: logits are divided by it; 0 takes the likeliest token, the first of equal ones.
        keep_every: keep what the policy says of every token, as far as memory allows.

    Returns:
        B x N responses and the log-probability of each of their tokens, at this temperature; where
        it is 0 and nothing is left to chance, at 1.

    Raises:
        UserError: where the longest prompt and response exceed the model's context.
    """
    context_tokens = model.config.max_position_embeddings
    longest = int(prompts.length_N.max(initial=0))
    if longest + max_new_tokens > context_tokens:
        raise UserError(
            f"a prompt of {longest} tokens and {max_new_tokens} new tokens exceed the policy's "
            f"context of {context_tokens} tokens; sample at most {context_tokens - longest}"
        )
    rows = prompts.rows() * samples_per_prompt
    batch_rows = min(batch_rows, _rows_that_fit(model, longest + max_new_tokens))
    uniform_NT = torch.rand(
        (rows, max_new_tokens), generator=generator, dtype=torch.float64, device=generator.device
    )
    order_B = np.argsort(prompts.length_N, kind="stable")
    order_N = (order_B[:, None] * samples_per_prompt + np.arange(samples_per_prompt)).ravel()
    ids_NT = np.full((rows, max_new_tokens), _NO_TOKEN, dtype=np.int32)
    logp_NT = np.zeros((rows, max_new_tokens), dtype=np.float32)
    entries = rows * max_new_tokens * int(model.config.vocab_size)
    every_NTV: Tensor | None = None
    if keep_every and 4 * entries <= _KEPT_BYTES:
        every_NTV = torch.zeros(rows, max_new_tokens, int(model.config.vocab_size))
    with evaluating(model), torch.inference_mode():
        for start in range(0, rows, batch_rows):
            index_R = order_N[start : start + batch_rows]
            batch = _gather_rows(
                prompts, index_R // samples_per_prompt, uniform_NT[index_R], model.device
            )
            kept = every_NTV is not None
            drawn = _sample_rows(model, batch, keep_fraction, temperature, kept)
            ids_RC, logp_RC = (of_CR.T.contiguous().cpu().numpy() for of_CR in drawn[:2])
            column_RT = _response_columns(prompts, index_R // samples_per_prompt, max_new_tokens)
            ids_NT[index_R] = np.take_along_axis(ids_RC, column_RT, axis=1)
            logp_NT[index_R] = np.take_along_axis(logp_RC, column_RT, axis=1)
            if every_NTV is not None and drawn.every_CRV is not None:
                at_RT, row_R1 = torch.from_numpy(column_RT), torch.arange(len(column_RT))[:, None]
                every_NTV[torch.from_numpy(index_R)] = drawn.every_CRV.cpu()[at_RT, row_R1]
    length_N = (ids_NT != _NO_TOKEN).sum(axis=1, dtype=np.int32)
    width = int(length_N.max(initial=0))
    ids_NT = np.where(ids_NT == _NO_TOKEN, PAD, ids_NT)[:, :width]
    responses = Tokens(np.ascontiguousarray(ids_NT, dtype=np.int32), length_N)
    if every_NTV is not None:
        every_NTV = every_NTV[:, :width]
    return Samples(responses, np.ascontiguousarray(logp_NT[:, :width]), every_NTV)


def _rows_that_fit(model: PreTrainedModel, tokens: int) -> int:
    """Rows whose key-value cache fits the memory set aside for it; changes speed only."""
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_width = getattr(config, "head_dim", None) or (
        config.hidden_size // config.num_attention_heads
    )
    row_bytes = 2 * config.num_hidden_layers * heads * head_width * tokens * model.dtype.itemsize
    budget_bytes = _CACHE_BYTES
    if model.device.type == "cuda":
        budget_bytes = torch.cuda.mem_get_info(model.device)[0] // 3
    return max(1, int(budget_bytes // row_bytes))


def stop_ids(model: PreTrainedModel) -> list[int]:
    """Tokens that end a response, from the policy's generation settings or configuration."""
    settings = getattr(model, "generation_config", None)
    named = getattr(settings, "eos_token_id", None)
    if named is None:
        named = getattr(model.config, "eos_token_id", None)
    return [] if named is None else [named] if isinstance(named, int) else list(named)


def _response_columns(prompts: Tokens, prompt_R: Index, max_new_tokens: int) -> Index:
    """The column (R, T) of a batch that holds each response token."""
    length_R = prompts.length_N[prompt_R].astype(np.int64)
    column_RT: Index = (length_R - length_R.min())[:, None] + np.arange(max_new_tokens)
    return column_RT


def _gather_rows(
    prompts: Tokens, prompt_R: Index, uniform_RT: Tensor, device: torch.device
) -> _Rows:
    """The tensors of one batch of rows, uniform numbers and forced tokens by column."""
    distinct_D, inverse_R = _distinct_prompts(prompts, prompt_R)
    length_D = prompts.length_N[distinct_D].astype(np.int64)
    shortest, spread = int(length_D.min()), int(length_D.max() - length_D.min())
    chosen = Tokens(prompts.ids_NT[distinct_D], prompts.length_N[distinct_D])
    ids_DL = torch.from_numpy(np.where(chosen.mask_NT, chosen.ids_NT, _NO_TOKEN).astype(np.int64))
    index_R = torch.from_numpy(inverse_R)
    offset_R = torch.from_numpy(length_D - shortest)[index_R]
    max_new_tokens = uniform_RT.shape[1]
    column_C = torch.arange(max_new_tokens + spread)
    token_RC = (column_C - offset_R[:, None]).clamp(0, max_new_tokens - 1)
    forced_RC = ids_DL[index_R, shortest : shortest + spread]
    return _Rows(
        prompt_DL=ids_DL[:, :shortest].to(device),
        prompt_R=index_R.to(device),
        uniform_CR=uniform_RT.to("cpu").gather(1, token_RC).T.contiguous().to(device),
        forced_CR=forced_RC.T.contiguous().to(device),
        last_R=(offset_R + max_new_tokens - 1).to(device),
        shortest=shortest,
        spread=spread,
    )


def _distinct_prompts(prompts: Tokens, prompt_R: Index) -> tuple[Index, Index]:
    """The first of each set of equal prompts, in order, and which of them (R,) each row continues.

    Prompts with different indices are often equal where they are the starts of other responses.
    """
    index_D, inverse_R = np.unique(prompt_R, return_inverse=True)
    _, first_E, equal_D = np.unique(
        np.column_stack([prompts.length_N[index_D], prompts.ids_NT[index_D]]),
        axis=0,
        return_index=True,
        return_inverse=True,
    )
    order_E = np.argsort(first_E)
    rank_E = np.argsort(order_E)
    return index_D[first_E[order_E]], rank_E[equal_D][inverse_R]


def _draw(logp_AV: Tensor, uniform_A: Tensor, greedy: bool) -> Tensor:
    """Tokens (A, 1) by inverse CDF, summed in float64; one of probability 0 is never drawn."""
    if greedy:
        return logp_AV.argmax(1, keepdim=True)
    cdf_AV = logp_AV.exp().cumsum(-1, dtype=torch.float64)
    threshold_A1 = uniform_A[:, None] * cdf_AV[:, -1:]
    return torch.searchsorted(cdf_AV, threshold_A1, right=True).clamp_(max=logp_AV.shape[1] - 1)


class _Sampled(NamedTuple):
    """Tokens and log-probabilities (C, R) of one batch; -1 and zero where nothing is sampled.

    every_CRV: log-probabilities of every token; None where they are not kept.
    """

    ids_CR: Tensor
    logp_CR: Tensor
    every_CRV: Tensor | None


class _Drawn:
    """Tokens and log-probabilities (C, R) as they come, for rows that leave the batch on the way.

    Columns are held until the rows change, and are then written at once.
    """

    def __init__(
        self, columns: int, rows: int, device: torch.device, vocabulary: int | None
    ) -> None:
        self.ids_CR = torch.full((columns, rows), _NO_TOKEN, device=device)
        self.logp_CR = torch.zeros((columns, rows), device=device)
        self.every_CRV: Tensor | None = None
        if vocabulary is not None:
            self.every_CRV = torch.zeros((columns, rows, vocabulary), device=device)
        self._row_A = torch.arange(rows, device=device)
        self._column = 0
        self._held: list[tuple[Tensor, Tensor, Tensor]] = []

    def hold(self, token_A: Tensor, logp_A: Tensor, skipped_A: Tensor, logp_AV: Tensor) -> None:
        """The next column; rows that are skipped have sampled nothing in it."""
        if self.every_CRV is not None:
            self.every_CRV[self._column + len(self._held), self._row_A] = logp_AV.float()
        self._held.append((token_A, logp_A, skipped_A))

    def write(self) -> None:
        """Put down what is held."""
        if not self._held:
            return
        token_HA, logp_HA, skipped_HA = (
            torch.stack(part) for part in zip(*self._held, strict=True)
        )
        columns = slice(self._column, self._column + len(self._held))
        self.ids_CR[columns, self._row_A] = token_HA.masked_fill_(skipped_HA, _NO_TOKEN)
        self.logp_CR[columns, self._row_A] = logp_HA.masked_fill_(skipped_HA, 0.0)
        self._column = columns.stop
        self._held.clear()

    def keep(self, row_K: Tensor) -> None:
        """Go on with these rows only."""
        self.write()
        self._row_A = self._row_A[row_K]


def _sample_rows(
    model: PreTrainedModel, batch: _Rows, keep_fraction: float, temperature: float, keep: bool
) -> _Sampled:
    """One batch, token after token."""
    columns, rows = batch.uniform_CR.shape
    device = batch.uniform_CR.device
    suppressed = suppressed_ids(model)
    decoder, logits_AV = read_prompts(model, batch.prompt_DL, batch.prompt_R, columns)
    stops_V = torch.zeros(logits_AV.shape[1], dtype=torch.bool, device=device)
    stops_V[[stop for stop in stop_ids(model) if stop < len(stops_V)]] = True
    drawn = _Drawn(columns, rows, device, logits_AV.shape[1] if keep else None)
    done_A = torch.zeros(rows, dtype=torch.bool, device=device)
    uniform_CA, forced_CA, last_A = batch.uniform_CR, batch.forced_CR, batch.last_R
    first_limit = columns - 1 - batch.spread
    for column in range(columns):
        if temperature not in (0.0, 1.0):
            logits_AV = logits_AV / temperature
        logp_AV = token_logps(logits_AV, suppressed)
        token_A1 = _draw(logp_AV, uniform_CA[column], temperature == 0)
        token_A, logp_A = token_A1.squeeze(1), logp_AV.gather(1, token_A1).squeeze(1)
        ends_A, skipped_A = stops_V.index_select(0, token_A), done_A
        if column < batch.spread:
            forced_A = forced_CA[column]
            given_A = forced_A != _NO_TOKEN
            token_A = torch.where(given_A, forced_A, token_A)
            ends_A, skipped_A = ends_A & ~given_A, done_A | given_A
        drawn.hold(token_A, logp_A, skipped_A, logp_AV)
        done_A = done_A | ends_A
        if column >= first_limit:
            done_A = done_A | (last_A <= column)
        alive = len(done_A) - int(done_A.count_nonzero())
        if alive == 0:
            break
        if alive < keep_fraction * len(done_A):
            kept_A = (~done_A).nonzero().squeeze(1)
            decoder.keep(kept_A)
            drawn.keep(kept_A)
            token_A, done_A, last_A = token_A[kept_A], done_A[kept_A], last_A[kept_A]
            uniform_CA, forced_CA = uniform_CA[:, kept_A], forced_CA[:, kept_A]
        logits_AV = decoder.step(token_A)
    drawn.write()
    return _Sampled(drawn.ids_CR, drawn.logp_CR, drawn.every_CRV)
