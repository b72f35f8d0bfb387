"""Answers of a method that resamples between tokens, to the held-out prompts, along its knob.

What it writes is read like an evaluation once gold has been added (``stages.judge``); gold is no
input of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.own_file import locate_own
from overopt.artifacts.randomness import numpy_rng, torch_rng
from overopt.artifacts.reward import open_reward
from overopt.artifacts.spending import NOTHING
from overopt.artifacts.tables import Column, write_json, write_table
from overopt.engines.method.loading import open_as
from overopt.engines.method.particles import OpenedParticles
from overopt.engines.particles.filter import Answers, ParticleFilter
from overopt.engines.particles.likelihood import Runner, ratios, upper_bounds
from overopt.engines.walk.placing import or_furthest, place
from overopt.engines.walk.trajectory import Compute
from overopt.execution.contract import Progress
from overopt.models.logprobs import score_logps
from overopt.models.policy import load_policy
from overopt.spec.method import MethodSpec
from overopt.stats.arrays import Floats
from overopt.worlds.contract import stop_ids, world_of
from overopt.worlds.tokens import Tokens, concatenate

KL_ANSWERS = 128
"""Answers whose likelihood is estimated: one for each of so many prompts, more where there are
fewer."""
LINEAGES = 16
"""Conditional runs for each of them, besides its own."""
_PROBE_LINEAGES = 8
"""As many while a knob is looked for."""
_LOG_KNOB_TOLERANCE = 0.03
"""A KL of so few answers has an error of some per cent itself."""


class Places:
    """A filter or search on the held-out prompts: its KL at a knob, and its answers there.

    Every estimate of KL starts from the same random numbers, so that it is a function of the knob.

    Args:
        runner: the filter or search.
        prompts: held out.
        use: seed and labels of its random numbers.
    """

    def __init__(self, runner: Runner, prompts: Tokens, use: tuple[int, str, str]) -> None:
        self._runner, self._prompts, self._use = runner, prompts, use
        self._each = max(1, KL_ANSWERS // prompts.rows())

    def answers(self, knob: float, each: int, label: str | int) -> Answers:
        """So many answers to each prompt, prompt-major."""
        seed, *labels = self._use
        asked = self._prompts.take(np.repeat(np.arange(self._prompts.rows()), each))
        return self._runner.run(
            asked, knob, torch_rng(seed, *labels, label), numpy_rng(seed, *labels, label)
        )

    def kl(
        self, knob: float, answers: Answers, label: str | int, lineages: int = LINEAGES
    ) -> Floats:
        """KL of each prompt, nats, (B,), from the first of its answers."""
        seed, *labels = self._use
        prompts = self._prompts.rows()
        drawn = answers.responses.rows() // prompts
        each = min(self._each, drawn)
        row_R = (np.arange(prompts)[:, None] * drawn + np.arange(each)).ravel()
        some = Answers(answers.responses.take(row_R), answers.log_share_R[row_R])
        asked = self._prompts.take(np.repeat(np.arange(prompts), each))
        again = (torch_rng(seed, *labels, "kl", label), numpy_rng(seed, *labels, "kl", label))
        found = ratios(self._runner, asked, some, knob, lineages, *again)
        found_B: Floats = found.kl_terms().reshape(prompts, each).mean(axis=1)
        return found_B

    def kl_nats(self, knob: float) -> float:
        """KL at a knob, as it is searched by."""
        answers = self.answers(knob, self._each, "probe")
        return float(self.kl(knob, answers, "probe", _PROBE_LINEAGES).mean())


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Place the filter on the budgets, and draw answers there.

    params: ``world``, ``method`` (MethodSpec), ``system`` (ProxySystemSpec), ``kl_grid_nats``,
    ``samples_per_prompt``, ``seed``. inputs: ``initial`` and the proxies.
    """
    method = locate_own(MethodSpec.model_validate(params["method"]), inputs)
    world = world_of(params)
    policy = load_policy(inputs["initial"] / "model")
    runner = ParticleFilter(
        open_as(OpenedParticles, method),
        policy,
        open_reward(inputs, params["system"], world),
        world.response_tokens_max,
        stop_ids(world),
    )
    place_answers(params, method, runner, policy, out, progress)


def place_answers(
    params: dict[str, Any],
    method: MethodSpec,
    runner: Runner,
    policy: PreTrainedModel,
    out: Path,
    progress: Progress,
    trained: Compute = NOTHING,
) -> None:
    """Answers at the places where the method meets the budgets, with the KL of each.

    Args:
        params: of the stage.
        method: its knob and name.
        runner: draws answers.
        policy: the initial policy.
        out: the artifact.
        progress: told the fraction done.
        trained: what models trained beside the policy have cost, counted at every place.
    """
    world = world_of(params)
    prompts, each = world.heldout_prompts, int(params["samples_per_prompt"])
    at = Places(runner, prompts, (int(params["seed"]), "particles", method.name))
    budgets = [float(kl_nats) for kl_nats in params["kl_grid_nats"]]

    def kl_of(knob_value: float) -> float:
        progress(0.3, f"{method.knob.name} {knob_value:.3g}")
        return at.kl_nats(knob_value)

    places = place(kl_of, method.knob, budgets, [], _LOG_KNOB_TOLERANCE)
    places = or_furthest(places, method.knob)
    asked = prompts.take(np.repeat(np.arange(prompts.rows()), each))
    parts: list[dict[str, Column]] = []
    snapshots: list[dict[str, Any]] = []
    for done, (kl_nats, value) in enumerate(places):
        if value is None:
            continue
        progress(0.5 + 0.5 * done / len(places), f"answers at {value:.3g}")
        step = len(snapshots) + 1
        answers = at.answers(value, each, step)
        logp_NT = score_logps(policy, asked, answers.responses)
        parts.append(
            {
                "step": np.full(asked.rows(), step, dtype=np.int32),
                "prompt_id": np.repeat(np.arange(prompts.rows(), dtype=np.int32), each),
                "sample_id": np.tile(np.arange(each, dtype=np.int32), prompts.rows()),
                "response": answers.responses,
                "reference_logp": logp_NT.sum(axis=1, dtype=np.float64),
            }
        )
        kl_B = at.kl(value, answers, step)
        snapshots.append(
            {
                "step": step,
                "knob_value": value,
                "kl_target_nats": kl_nats,
                "shared_kl_targets_nats": [],
                "kl_of_prompts_nats": kl_B.tolist(),
                "kl_bound_nats": float(upper_bounds(answers).mean()),
                **trained._asdict(),
                "samples_drawn": trained.samples_drawn + runner.count * prompts.rows(),
            }
        )
    write_table(out / "samples.parquet", _joined(parts))
    unreached = [one.kl_target_nats for one in places if one.knob_value is None]
    write_json(out / "optimize.json", {"snapshots": snapshots, "unreached_kl_nats": unreached})


def _joined(parts: list[dict[str, Column]]) -> dict[str, Column]:
    """All rows of the tables, in order."""
    responses = [part.pop("response") for part in parts]
    joined: dict[str, Column] = {
        name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in parts[0]
    }
    joined["response"] = concatenate([one for one in responses if isinstance(one, Tokens)])
    return joined
