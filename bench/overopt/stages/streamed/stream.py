"""A pool of any size, drawn and scored in a stream: of a sample only its scores are kept.

Best-of-n at large n needs proxy and gold of every sample and nothing else. Responses are sampled,
scored by gold and by every proxy and forgotten, some rows at a time, so that memory holds one
number per score and sample, and one chunk of responses.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel

from overopt.artifacts.gold import load_gold
from overopt.artifacts.own_file import locate_own
from overopt.artifacts.randomness import torch_rng
from overopt.artifacts.reward import open_reward
from overopt.artifacts.tables import Column, read_json, write_json, write_table
from overopt.engines.method.loading import open_as
from overopt.engines.proxy import OpenedProxy
from overopt.execution.contract import Progress
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.spec.system import ProxySystemSpec
from overopt.worlds.contract import World, world_of
from overopt.worlds.tokens import Tokens


def chunks(
    policy: PreTrainedModel,
    world: World,
    prompts: int,
    samples_per_prompt: int,
    chunk_rows: int,
    generator: torch.Generator,
) -> Iterator[tuple[int, Tokens, Tokens]]:
    """Samples of the first prompts, prompt by prompt, at most ``chunk_rows`` at once.

    Each token is drawn by a uniform number of its row and position, and these come from the
    generator row after row, so that the size of a chunk changes no sample: they are those of one
    call for all of them.

    Args:
        policy: what is sampled.
        world: of the held-out prompts.
        prompts: how many of them, from the first.
        samples_per_prompt: of each.
        chunk_rows: most samples held at once.
        generator: source of the uniform numbers.

    Yields:
        The prompt's number, the prompt once per sample, and the responses.
    """
    for prompt in range(prompts):
        one = world.heldout_prompts.take(np.array([prompt]))
        for start in range(0, samples_per_prompt, chunk_rows):
            rows = min(chunk_rows, samples_per_prompt - start)
            drawn = sample(policy, one, rows, world.response_tokens_max, generator)
            yield prompt, one.take(np.zeros(rows, dtype=np.int64)), drawn.responses


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Draw and score, by each member too where there are several; gold in SDs as of the pool.

    params: ``system`` (ProxySystemSpec), ``prompts``, ``samples_per_prompt``, ``chunk_rows``,
    ``seed`` of the world: all proxies of a world are scored on the same samples.
    """
    world = world_of(params)
    policy = load_policy(inputs["initial"] / "model")
    gold = load_gold(inputs["gold"], world)
    reward = open_reward(inputs, params["system"], world)
    spec = ProxySystemSpec.model_validate(params["system"])
    system = open_as(OpenedProxy, locate_own(spec, inputs))
    scale = read_json(inputs["pool"] / "summary.json")
    prompts, samples = int(params["prompts"]), int(params["samples_per_prompt"])
    gold_BN = np.empty((prompts, samples))
    proxy_BN = np.empty((prompts, samples))
    shown = system.members if system.members > 1 else 0
    member_MBN = np.empty((shown, prompts, samples))
    filled_B = np.zeros(prompts, dtype=np.int64)
    generator = torch_rng(int(params["seed"]), "stream")
    chunk_rows = int(params["chunk_rows"])
    for prompt, asked, responses in chunks(policy, world, prompts, samples, chunk_rows, generator):
        place = slice(int(filled_B[prompt]), int(filled_B[prompt]) + responses.rows())
        gold_BN[prompt, place] = (gold(asked, responses) - scale["gold_mean"]) / scale["gold_sd"]
        score_MN = reward.members(asked, responses)
        proxy_BN[prompt, place] = system.combine(score_MN)
        member_MBN[:, prompt, place] = score_MN[:shown]
        filled_B[prompt] += responses.rows()
        done = int(filled_B.sum())
        progress(done / gold_BN.size, f"{done} of {gold_BN.size} samples")
    prompt_id_N: npt.NDArray[np.int32] = np.repeat(np.arange(prompts, dtype=np.int32), samples)
    columns: dict[str, Column] = {
        "prompt_id": prompt_id_N,
        "gold": gold_BN.ravel(),
        "proxy": proxy_BN.ravel(),
        **{f"member.{m}": member_BN.ravel() for m, member_BN in enumerate(member_MBN)},
    }
    write_table(out / "stream.parquet", columns)
    write_json(
        out / "stream.json",
        {
            "gold_mean": float(gold_BN.mean()),
            "proxy_mean": float(proxy_BN.mean()),
            "samples_drawn": int(gold_BN.size),
        },
    )
