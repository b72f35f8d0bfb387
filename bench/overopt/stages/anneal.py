"""The initial policy tilted by gold, followed by particles beyond the end of its pool."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from overopt.artifacts.gold import load_gold
from overopt.artifacts.randomness import numpy_rng, torch_rng
from overopt.artifacts.tables import Table, read_json, write_json
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.stats.pools.annealing import anneal, leave_pool, systematic
from overopt.worlds.contract import Gold, World, world_of
from overopt.worlds.tokens import PAD, Tokens

POOL_ESS = 64.0
"""Effective samples per prompt at which particles take over from the pool."""
SWEEPS = 4
"""Proposals for each particle at each temperature."""


class Responses:
    """M responses to each of B prompts, prompt-major, moved by re-sampling their ends.

    A sweep draws one cut c for all rows. Each response longer than c keeps its first c tokens and
    is sampled anew from there by the initial policy; the new one is accepted with probability
    min(1, exp(t (gold' - gold))). The cut does not depend on the response, so the initial policy's
    probabilities cancel, and pi_ref exp(t gold) stays as it is.
    """

    def __init__(
        self,
        world: World,
        reference: PreTrainedModel,
        gold: Gold,
        held: Tokens,
        gold_BM: npt.NDArray[np.float64],
        scale: tuple[float, float],
        seed: int,
    ) -> None:
        self._reference, self._gold, self._scale = reference, gold, scale
        self._longest = world.response_tokens_max
        prompts, self._count = gold_BM.shape
        self._prompts = world.heldout_prompts.take(np.repeat(np.arange(prompts), self._count))
        width = self._longest - held.ids_NT.shape[1]
        self._ids_NT = np.pad(held.ids_NT, ((0, 0), (0, width)), constant_values=PAD)
        self._length_N = held.length_N
        self._gold_N = gold_BM.ravel()
        self._rng, self._generator = numpy_rng(seed, "anneal"), torch_rng(seed, "anneal")

    @property
    def gold_BM(self) -> npt.NDArray[np.float64]:
        """Gold of each response, in SDs of the initial policy around its mean."""
        return self._gold_N.reshape(-1, self._count)

    @property
    def responses(self) -> Tokens:
        """The responses, prompt-major."""
        return Tokens(self._ids_NT, self._length_N)

    def keep(self, index_BM: npt.NDArray[np.int64]) -> None:
        """Go on with these of each prompt's responses, repeats included."""
        first_B1 = np.arange(len(index_BM))[:, None] * self._count
        row_N = (first_B1 + index_BM).ravel()
        self._ids_NT, self._length_N = self._ids_NT[row_N], self._length_N[row_N]
        self._gold_N = self._gold_N[row_N]

    def move(self, strength: float) -> float:
        """``SWEEPS`` proposals for each response; the share accepted, 0 where none was made."""
        proposed = accepted = 0
        for _ in range(SWEEPS):
            cut = int(self._longest * np.sqrt(self._rng.random()))
            row_R = np.flatnonzero(self._length_N > cut)
            if not len(row_R):
                continue
            new = self._propose(row_R, cut)
            mean, sd = self._scale
            gold_R = (self._gold(self._prompts.take(row_R), new) - mean) / sd
            uniform_R = self._rng.random(len(row_R))
            with np.errstate(over="ignore"):
                taken_R = uniform_R < np.exp(strength * (gold_R - self._gold_N[row_R]))
            rows = row_R[taken_R]
            width = self._longest - new.ids_NT.shape[1]
            ids_RT = np.pad(new.ids_NT, ((0, 0), (0, width)), constant_values=PAD)
            self._ids_NT[rows], self._length_N[rows] = ids_RT[taken_R], new.length_N[taken_R]
            self._gold_N[rows] = gold_R[taken_R]
            proposed, accepted = proposed + len(row_R), accepted + len(rows)
        return accepted / max(proposed, 1)

    def _propose(self, row_R: npt.NDArray[np.int64], cut: int) -> Tokens:
        """Responses that share their first ``cut`` tokens with those held."""
        given = self._prompts.take(row_R)
        kept_RC = self._ids_NT[row_R, :cut]
        length_R = given.length_N + np.int32(cut)
        joined_RL = np.full((len(row_R), int(length_R.max())), PAD, np.int32)
        joined_RL[:, : given.ids_NT.shape[1]] = given.ids_NT
        if cut:
            column_RC = given.length_N[:, None] + np.arange(cut)
            np.put_along_axis(joined_RL, column_RC, kept_RC, axis=1)
        drawn = sample(
            self._reference,
            Tokens(joined_RL, length_R),
            1,
            self._longest - cut,
            self._generator,
        ).responses
        ids_RT = np.concatenate([kept_RC, drawn.ids_NT], axis=1)
        return Tokens(ids_RT, drawn.length_N + np.int32(cut))


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Follow the tilted initial policy up to ``kl_max_nats`` with ``per_prompt`` particles.

    Writes ``rungs.json``: one entry for each temperature, none where the pool shows every tilt.
    """
    world = world_of(params)
    summary = read_json(inputs["pool"] / "summary.json")
    scale = float(summary["gold_mean"]), float(summary["gold_sd"])
    table = Table(inputs["pool"] / "samples.parquet")
    prompts = world.heldout_prompts.rows()
    gold_BN = (table.floats("gold").reshape(prompts, -1) - scale[0]) / scale[1]
    start = leave_pool(gold_BN, min(POOL_ESS, 0.5 * gold_BN.shape[1]))
    rungs = []
    if start is not None:
        seed, count = int(params["seed"]), int(params["per_prompt"])
        rng = numpy_rng(seed, "resample")
        index_BM = np.concatenate(
            [systematic(start.weight_BN, count // 2, rng) for _ in range(2)], axis=1
        )
        row_N = (np.arange(prompts)[:, None] * gold_BN.shape[1] + index_BM).ravel()
        particles = Responses(
            world,
            load_policy(inputs["initial"] / "model"),
            load_gold(inputs["gold"], world),
            table.tokens("response").take(row_N),
            np.take_along_axis(gold_BN, index_BM, axis=1),
            scale,
            seed,
        )
        with torch.inference_mode():
            rungs = anneal(particles, start, float(params["kl_max_nats"]), rng)
    write_json(out / "rungs.json", [rung._asdict() for rung in rungs])
