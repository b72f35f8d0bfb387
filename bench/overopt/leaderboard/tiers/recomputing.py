"""Gold, proxy and reference log-probabilities of a page's tokens, computed by us."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from overopt.artifacts.gold import load_gold
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.points import Pool, read_pool, system_scores
from overopt.artifacts.scores import fingerprint
from overopt.artifacts.tables import Table, write_table
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.code.modules import load_module
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.tiers.ours import Recomputed
from overopt.leaderboard.tiers.rebuilt import Rebuilt, reweights
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.stages.shown.enumeration import Enumeration
from overopt.worlds.contract import Gold, World, build, stop_ids
from overopt.worlds.tokens import PAD

Floats = npt.NDArray[np.float64]


def problem_of_tokens(world: World, samples: Samples) -> str:
    """Why tokens cannot be responses of this world; empty where they can."""
    responses, stops = samples.responses, stop_ids(world)
    flat = responses.flat()
    if int(samples.prompt_id.max()) >= world.heldout_prompts.rows():
        return "prompt_id names a prompt that the world does not have"
    if int(flat.max()) >= len(world.vocabulary):
        return f"ids holds {int(flat.max())}, the vocabulary has {len(world.vocabulary)} words"
    if (flat == PAD).any():
        return "ids holds padding, which no policy emits"
    length_N = responses.length_N
    if length_N.min() < 1 or length_N.max() > world.response_tokens_max:
        return f"length must lie within 1 and {world.response_tokens_max}"
    ended_N = responses.ends_with(stops)
    stop_NT = np.isin(responses.ids_NT, stops) & responses.mask_NT
    if (stop_NT.sum(axis=1) > ended_N).any():
        return "ids goes on after the end of a response"
    if (~ended_N & (length_N < world.response_tokens_max)).any():
        return "ids holds a response that neither ends nor is as long as responses may be"
    return ""


class Judge:
    """Opens one world once, for all cells in it."""

    def __init__(self, rebuilt: Rebuilt) -> None:
        torch.set_num_threads(1)
        self.world: World = build(rebuilt.cell.task.world)
        self._reference: PreTrainedModel = load_policy(rebuilt.initial / "model")
        self._gold: Gold = load_gold(rebuilt.gold, self.world)
        self._start_raw_B: Floats | None = None
        if self.world.responses is not None:
            exact = Enumeration(self.world, self._reference, self._gold)
            self._start_raw_B = exact.start_gold_B

    def recompute(self, rebuilt: Rebuilt, samples: Samples) -> tuple[Recomputed, Pool]:
        """Everything of a page that can be known from its tokens; they were checked before.

        The pool of the initial policy comes along.
        """
        prompts = self.world.heldout_prompts.take(samples.prompt_id)
        responses = samples.responses
        spec = rebuilt.cell.proxy
        system = open_as(OpenedProxy, locate_own(spec, {}))
        pool = read_pool(dict(rebuilt.inputs), system)
        start_B = pool.gold_BN.mean(axis=1)
        if self._start_raw_B is not None:
            start_B = (self._start_raw_B - pool.gold_mean) / pool.gold_sd
        logp_NT = score_logps(self._reference, prompts, responses)
        found = Recomputed(
            reference_logp=logp_NT.sum(axis=1, dtype=np.float64),
            gold=self._gold(prompts, responses),
            proxy=self._proxy(rebuilt, samples, system),
            gold_mean=pool.gold_mean,
            gold_sd=pool.gold_sd,
            proxy_offset=pool.proxy_offset,
            proxy_offset_se=float(pool.proxy_BN.std() / np.sqrt(pool.proxy_BN.size)),
            start_gold_B=start_B,
            in_pool=_share_in(pool, samples),
            reweights=reweights(rebuilt.cell.method),
        )
        return found, pool

    def _proxy(self, rebuilt: Rebuilt, samples: Samples, system: OpenedProxy) -> Floats:
        """The system's reward of each sample, by the stage that scores the pool."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "samples").mkdir()
            write_table(
                folder / "samples" / "samples.parquet",
                {
                    "step": samples.point,  # rows are aligned by their point, prompt and number
                    "prompt_id": samples.prompt_id,
                    "sample_id": samples.sample_id,
                    "response": samples.responses,
                },
            )
            inputs = {}
            for member, scorer in enumerate(rebuilt.scorers):
                out = folder / f"score.{member}"
                out.mkdir()
                given = {**scorer.inputs, "samples": folder / "samples"}
                load_module(scorer.stage).run(
                    dict(scorer.params), given, out, lambda share, words="": None
                )
                inputs[f"score.page.{member}"] = out
            table = Table(folder / "samples" / "samples.parquet")
            return system_scores(inputs, "page", table, system)


def _share_in(pool: Pool, samples: Samples) -> float:
    """Share of the samples that the pool has among the responses to their prompt."""
    prompts = pool.gold_BN.shape[0]
    known_BN = np.sort(fingerprint(pool.responses).reshape(prompts, -1), axis=1)
    print_R = fingerprint(samples.responses)
    hits = 0
    for prompt in range(prompts):
        mine = print_R[samples.prompt_id == prompt]
        hits += int(np.isin(mine, known_BN[prompt]).sum())
    return hits / len(print_R)
