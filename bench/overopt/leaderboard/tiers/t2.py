"""T2: policies loaded from safetensors and sampled again, on the prompts and on hidden ones.

Of every policy whose weights came along: its log-probabilities and KL of the submitted samples are
computed (they must be those submitted), and so is whether its own samples are as likely
(``likelihood``); it is sampled anew, and the samples compared with those submitted
(``same_source``); and it answers prompts that nobody has seen, where gold must be as high
and KL as low as was claimed (``hidden``). Random numbers are drawn after the submission arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from transformers import PreTrainedModel

from overopt.artifacts.gold import load_gold
from overopt.artifacts.randomness import derived_seed, numpy_rng, torch_rng
from overopt.errors import UserError
from overopt.leaderboard.sandbox.weights import read_weights
from overopt.leaderboard.submission.files import check_content
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.submission.reading import read_submission
from overopt.leaderboard.submission.schema import SubmittedRun
from overopt.leaderboard.submission.verdict import Asked, Finding, found
from overopt.leaderboard.tiers.completeness import place_of
from overopt.leaderboard.tiers.rebuilt import Rebuilt, rebuild, refuse_foreign
from overopt.leaderboard.tiers.t0 import samples_of
from overopt.leaderboard.verification.hidden import Shown, hidden_prompts, judge_hidden
from overopt.leaderboard.verification.likelihood import (
    FUNCTIONS,
    Score,
    judge_likelihood,
    score_samples,
)
from overopt.leaderboard.verification.same_source import Drawn, judge_source
from overopt.leaderboard.verification.trial import ALPHA, Trial
from overopt.models.logprobs import kl_statistics
from overopt.models.policy import load_policy
from overopt.models.sampling import sample
from overopt.worlds.contract import Gold, World, build, stop_ids
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]

SHIFT_NATS, SPREAD_NATS = 0.005, 0.02
"""Of the policy's log-probabilities, same weights and tokens: mean and root mean square."""
KL_SHIFT_NATS, KL_SPREAD_NATS = 0.02, 0.1
"""Of KL along samples, whose reference was trained anew."""
STATISTICS = ("words", "gold", "policy_logp", "reference_logp", "length")
HIDDEN = 4
"""Hidden prompts for each held-out one, where the world has as many."""
FRESH = 4
"""Fresh samples for each submitted one."""
_TESTS = 4
LEVEL = ALPHA / _TESTS


def judge(asked: Asked, told: Callable[[str], None]) -> list[Finding]:
    """Everything that T2 finds; T1 has found what the policies are judged by."""
    trial = asked if isinstance(asked, Trial) else Trial(**vars(asked))
    submission = read_submission(asked.folder)
    looked = Looked(trial)
    for number, run in enumerate(submission.runs):
        if run.role == "method":
            where = f"runs.{number} {run.method}"
            if foreign := refuse_foreign(run.spec):
                looked.findings.append(found("T2", "ours", False, foreign, where))
                continue
            looked.judge_run(run, where, told)
    return looked.conclude()


class Stage(NamedTuple):
    """What a world's policies are judged with."""

    world: World
    reference: PreTrainedModel
    gold: Gold
    hidden: Tokens | None
    task: str


def _with_weights(initial: Path, content: bytes, where: str) -> PreTrainedModel:
    """The initial policy with other weights, which are named as its own file names them.

    A weight that stands in two places, as that of tokens in and out, is in a file once.
    """
    model = load_policy(initial)
    weights = read_weights(content, load_file(initial / "model.safetensors"), where)
    model.load_state_dict(weights, strict=False)
    model.tie_weights()
    return model


class Looked:
    """Findings and evidence of all policies of a submission."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.findings: list[Finding] = []
        self._pairs: list[tuple[Drawn, Drawn]] = []
        self._scores: list[Score] = []
        self._names: list[str] = []
        self._shown: dict[tuple[str, int], list[Shown]] = {}

    def judge_run(self, run: SubmittedRun, where: str, told: Callable[[str], None]) -> None:
        """Look at every policy of a run."""
        torch.set_num_threads(1)
        opened: tuple[int, Stage] | None = None
        with_policies = any(cell.policies for cell in run.cells)
        rebuilt = rebuild(run.spec, self._trial.store, self._trial.workers, told)
        for cell, ours in zip(run.cells, rebuilt, strict=True):
            samples = samples_of(self._trial.folder, cell)
            if samples is None or not len(samples.policy_logp):
                continue
            if not cell.policies:
                self._lacks(where, cell, with_policies)
                continue
            if opened is None or opened[0] != cell.world:
                opened = cell.world, self._stage(cell, ours)
            for policy in cell.policies:
                place = f"{where}, {place_of(cell)}, row {policy.point + 1}"
                told(place)
                content = check_content(self._trial.folder, policy.file)
                try:
                    model = _with_weights(ours.initial / "model", content, policy.file.path)
                except UserError as error:
                    self.findings.append(found("T2", "policies", False, str(error), place))
                    continue
                self.judge_policy(opened[1], cell, policy.point, model, samples, place)

    def _lacks(self, where: str, cell: Cell, others_do_not: bool) -> None:
        words = "no weights came along; prepare it again with --policies end or all"
        if others_do_not:
            words = "no weights of this cell came along, while others have some"
        self.findings.append(found("T2", "policies", False, words, f"{where}, {place_of(cell)}"))

    def _stage(self, cell: Cell, ours: Rebuilt) -> Stage:
        spec = ours.cell.task.world
        world = build(spec)
        rng = numpy_rng(derived_seed(self._trial.secret, "hidden", cell.world))
        hidden = hidden_prompts(spec, world, HIDDEN * world.heldout_prompts.rows(), rng)
        return Stage(
            world,
            load_policy(ours.initial / "model"),
            load_gold(ours.gold, world),
            hidden,
            ours.cell.task.name,
        )

    def judge_policy(
        self,
        stage: Stage,
        cell: Cell,
        point: int,
        model: PreTrainedModel,
        samples: Samples,
        place: str,
    ) -> None:
        """Look at one policy.

        Args:
            stage: of its world.
            cell: its cell.
            point: data row of ``points.csv``.
            model: with the weights that came along.
            samples: of the cell.
            place: for messages.
        """
        row_R = np.flatnonzero(samples.point == point)
        if len(row_R) == 0:
            words = "weights came along of a point without samples"
            self.findings.append(found("T2", "policies", False, words, place))
            return
        prompts = stage.world.heldout_prompts
        count = len(row_R) // prompts.rows()
        submitted, kl_rb = self._numbers(stage, model, samples.responses.take(row_R), count)
        self._compare(samples, row_R, submitted.feature_FBN[1].ravel(), kl_rb, place)
        rng = torch_rng(self._trial.secret, "fresh", cell.world, cell.seed, point)
        drawn = sample(model, prompts, FRESH * count, stage.world.response_tokens_max, rng)
        fresh, _ = self._numbers(stage, model, drawn.responses, FRESH * count)
        self._pairs.append((submitted, fresh))
        self._scores.append(
            score_samples(
                model,
                stage.reference,
                prompts.take(np.repeat(np.arange(prompts.rows()), count)),
                samples.responses.take(row_R),
                stop_ids(stage.world),
            )
        )
        self._names.append(place)
        if stage.hidden is not None:
            k = int(np.flatnonzero(samples.measured_K == point)[0])
            shown = self._answer(stage, model, cell, samples, k, count)
            self._shown.setdefault((stage.task, cell.world), []).append(shown)

    def _numbers(
        self, stage: Stage, model: PreTrainedModel, responses: Tokens, count: int
    ) -> tuple[Drawn, Floats]:
        """Samples with the features that tests look at, and KL along each, nats."""
        prompts = stage.world.heldout_prompts
        repeated = prompts.take(np.repeat(np.arange(prompts.rows()), count))
        kl = kl_statistics(model, stage.reference, repeated, responses)
        features = (
            stage.gold(repeated, responses),
            kl.policy_logp_NT.sum(1, dtype=np.float64),
            kl.reference_logp_NT.sum(1, dtype=np.float64),
            responses.length_N.astype(np.float64),
        )
        shape = prompts.rows(), count
        ids_NT = np.where(responses.mask_NT, responses.ids_NT, -1)
        return (
            Drawn(ids_NT.reshape(*shape, -1), np.stack([one.reshape(shape) for one in features])),
            np.asarray(kl.rb_N, np.float64),
        )

    def _compare(
        self, samples: Samples, row_R: npt.NDArray[np.int64], logp: Floats, kl: Floats, place: str
    ) -> None:
        for check, difference, shift, spread in (
            ("policy_logp", samples.policy_logp[row_R] - logp, SHIFT_NATS, SPREAD_NATS),
            ("kl", samples.kl_rb[row_R] - kl, KL_SHIFT_NATS, KL_SPREAD_NATS),
        ):
            mean, rms = abs(float(difference.mean())), float(np.sqrt(np.mean(difference**2)))
            words = f"{check} differs from what these weights say by {rms:.2g} nats (RMS), "
            words += f"{mean:.2g} in the mean"
            good = mean <= shift and rms <= spread
            self.findings.append(found("T2", check, good, words, place, rms, spread))

    def _answer(
        self,
        stage: Stage,
        model: PreTrainedModel,
        cell: Cell,
        samples: Samples,
        k: int,
        count: int,
    ) -> Shown:
        """What a policy does on hidden prompts, beside what was claimed on the others."""
        hidden = stage.hidden
        assert hidden is not None, "it is asked for where there are some"
        repeated = hidden.take(np.repeat(np.arange(hidden.rows()), count))
        gold_H = []
        for name, one in (("policy", model), ("initial", stage.reference)):
            rng = torch_rng(self._trial.secret, "hidden", name, cell.world, cell.seed, k)
            drawn = sample(one, hidden, count, stage.world.response_tokens_max, rng).responses
            gold_H.append(stage.gold(repeated, drawn).reshape(hidden.rows(), count).mean(axis=1))
            if name == "policy":
                kl_N = kl_statistics(model, stage.reference, repeated, drawn).rb_N
        return Shown(
            gain_claimed_B=samples.prompt_gold_KB[k] - samples.prompt_gold_KB[0],
            gain_found_H=(gold_H[0] - gold_H[1]) / cell.gold_sd,
            kl_claimed_B=samples.prompt_kl_KB[k],
            kl_found_H=kl_N.reshape(hidden.rows(), count).mean(axis=1),
        )

    def conclude(self) -> list[Finding]:
        """All findings, those over all policies last."""
        if not self._pairs:
            if not any(one.outcome == "fail" for one in self.findings):
                words = "no policy was trained; its samples are judged by T1 and its run by T3"
                self.findings.append(Finding("T2", "policies", "note", words))
            return self.findings
        likely = judge_likelihood(self._scores)
        of = "all together" if likely.policy is None else self._names[likely.policy]
        words = f"samples of {len(self._scores)} policies under their own weights, p = "
        words += f"{likely.p:.2g}; most in {FUNCTIONS[likely.function]}, {of}, z = {likely.z:.2f}"
        good = likely.p > LEVEL
        self.findings.append(found("T2", "likelihood", good, words, "", likely.p, LEVEL))
        rng = numpy_rng(derived_seed(self._trial.secret, "deals"))
        source = judge_source(self._pairs, rng, self._trial.deals)
        words = f"submitted and fresh samples of {len(self._pairs)} policies, p = {source.p:.2g}; "
        words += f"most in {STATISTICS[source.statistic]} of {self._names[source.policy]}"
        good = source.p > LEVEL
        self.findings.append(found("T2", "source", good, words, "", source.p, LEVEL))
        if self._shown:
            means = [
                Shown(*(np.mean(parts, axis=0) for parts in zip(*shown, strict=True)))
                for shown in self._shown.values()
            ]
            for check, p in zip(("hidden_gold", "hidden_kl"), judge_hidden(means), strict=True):
                words = f"{check.partition('_')[2]} on prompts that nobody has seen, in "
                words += f"{len(means)} worlds, p = {p:.2g}"
                self.findings.append(found("T2", check, p > LEVEL, words, "", p, LEVEL))
        else:
            words = "the worlds have no prompts in reserve"
            self.findings.append(Finding("T2", "hidden_gold", "note", words))
        return self.findings
