"""Scripted forgeries, each made as a forger with our code would: means taken again afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from overopt.execution.canonical import canonical_json
from overopt.leaderboard.submission.pages import Samples
from overopt.leaderboard.submission.parts import Cell
from overopt.leaderboard.submission.schema import SubmittedRun
from overopt.leaderboard.submission.verdict import Finding
from overopt.leaderboard.tiers.arithmetic import judge_arithmetic, recompute
from overopt.leaderboard.tiers.completeness import judge_spec
from overopt.leaderboard.tiers.consistency import Consistency
from overopt.leaderboard.tiers.copies import COPIED, excess, prints_of
from overopt.leaderboard.tiers.ours import Recomputed
from overopt.leaderboard.tiers.t1 import compare
from overopt.stats.kl import k2
from overopt.worlds.tokens import EOS

from .folders import spec_of
from .honest import (
    WORDS,
    Drawn,
    Entry,
    Floats,
    Language,
    draw,
    make_cell,
    make_entry,
    make_samples,
    remade,
)

Rng = np.random.Generator
Trial = Callable[[Rng, bool], bool]
"""Makes an entry, forged or honest, and says whether it is caught."""

MACHINE = 0.001
"""By which numbers of trained models differ on another processor (nats or SDs, one SD), some times
what was measured."""

SPEC = spec_of("dpo", worlds=1, seeds=5)


class Size(NamedTuple):
    """Of the entries of a trial: a third of a headline, three worlds of five seeds."""

    worlds: int = 1
    seeds: int = 5
    prompts: int = 128
    each: int = 8


SIZE = Size()


@dataclass(frozen=True)
class Forgery:
    """What is forged, at which tier and by which check it is to be caught, and a trial of it.

    honest: which honest entries its trials make; forgeries of one kind share them.
    """

    name: str
    tier: str
    check: str
    trial: Trial

    @property
    def honest(self) -> str:
        """Entries, a table, a pair, seeds, or pages that are recomputed."""
        if self.check == "proxy":
            return "seeds of proxies"
        if self.tier == "T1":
            return "page"
        return self.check if self.check in ("arithmetic", "copy", "seeds") else "entry"


def consistent(entry: Entry) -> bool:
    """Whether the tests of log-probabilities find nothing in an entry."""
    tests = Consistency()
    for cell, samples in zip(entry.cells, entry.samples, strict=True):
        tests.add(cell, samples, entry.estimators, f"world {cell.world} seed {cell.seed}")
    return all(one.outcome != "fail" for one in tests.judge())


def picked(share: float, size: Size = SIZE) -> Trial:
    """In a share of the slots, the better of two samples by gold."""

    def trial(rng: Rng, forged: bool) -> bool:
        if not forged:
            return not consistent(make_entry(rng, *size))
        seed = int(rng.integers(2**31))
        entry = make_entry(np.random.default_rng(seed), *size, keep=2, picks=share)
        return not consistent(entry)

    return trial


def changed(change: Callable[[Cell, Samples, Rng], Samples], size: Size = SIZE) -> Trial:
    """Log-probabilities changed by a function, with all means taken again."""

    def trial(rng: Rng, forged: bool) -> bool:
        entry = make_entry(rng, *size)
        if forged:
            entry = entry.mapped(lambda cell, one: remade(cell, change(cell, one, rng)))
        return not consistent(entry)

    return trial


def stretched(factor: float) -> Callable[[Cell, Samples, Rng], Samples]:
    """All log-ratios by a factor, KL and entropy with them: every mean still agrees."""

    def change(cell: Cell, samples: Samples, rng: Rng) -> Samples:
        ratio = samples.policy_logp - samples.reference_logp
        moved = (factor - 1) * ratio
        return samples._replace(
            policy_logp=samples.policy_logp + moved,
            kl_rb=factor * samples.kl_rb,
            entropy=samples.entropy - (factor - 1) * samples.kl_rb,
        )

    return change


def lowered(share: float) -> Callable[[Cell, Samples, Rng], Samples]:
    """The policy's log-probabilities alone, so that k1, k2 and k3 are lower."""

    def change(cell: Cell, samples: Samples, rng: Rng) -> Samples:
        ratio = samples.policy_logp - samples.reference_logp
        return samples._replace(policy_logp=samples.policy_logp - share * ratio)

    return change


def mislabeled(cell: Cell, samples: Samples, rng: Rng) -> Samples:
    """k2 in the place of the Rao-Blackwellized KL."""
    ratio = samples.policy_logp - samples.reference_logp
    return samples._replace(kl_rb=k2(ratio))


def shrunk(factor: float) -> Callable[[Cell, Samples, Rng], Samples]:
    """The Rao-Blackwellized KL alone, which is the axis."""

    def change(cell: Cell, samples: Samples, rng: Rng) -> Samples:
        return samples._replace(kl_rb=factor * samples.kl_rb)

    return change


def altered_point(by: float) -> Trial:
    """Gold of one point raised in ``points.csv``, by SDs of the initial policy."""

    def trial(rng: Rng, forged: bool) -> bool:
        entry = make_entry(rng, 1, 1)
        cell, samples = entry.cells[0], entry.samples[0]
        rows: list[dict[str, object]] = [
            {"kl_nats": 0.0, "gold_mean": 0.0, "proxy_mean": 0.0, "win_rate": 0.5}
            | {"n_prompts": 128.0, "kl_estimator": "definition"}
        ]
        for k in range(1, len(samples.measured_K)):
            values: dict[str, object] = dict(recompute(cell, samples, k, "rb"))
            rows.append({**values, "kl_estimator": "rb"})
        if forged:
            stated = rows[int(rng.integers(1, len(rows)))]
            stated["gold_mean"] = float(str(stated["gold_mean"])) + by
        points = pd.DataFrame(rows, index=samples.measured_K)
        return judge_arithmetic(cell, samples, points, "").outcome == "fail"

    return trial


def copied(noise_nats: float) -> Trial:
    """Another entry's samples with noise on the log-probabilities; else another entry's own.

    The honest other is of the same language, proxies and random numbers, moved by another method:
    the tilt of a direction that differs by as much as two seeds do.
    """

    def trial(rng: Rng, forged: bool) -> bool:
        language, seed = Language(rng), int(rng.integers(2**31))
        entry = make_entry(rng, 1, 1)
        cell = entry.cells[0]

        def sampled() -> Samples:
            same = np.random.default_rng(seed)
            tilts = (1.0, 2.0, 3.0)
            parts = [draw(language, language.policy(tilt), 1024, same) for tilt in tilts]
            return make_samples(cell, parts, 128, 0)

        one = sampled()
        if forged:
            noise = noise_nats * rng.normal(size=len(one.policy_logp))
            other = one._replace(policy_logp=one.policy_logp + noise)
        else:
            shape = language.direction_PV.shape
            language.direction_PV = language.direction_PV + 0.3 * rng.normal(size=shape)
            other = sampled()
        mine, theirs = prints_of(one), prints_of(other)
        assert mine is not None and theirs is not None
        return excess(mine, theirs) >= COPIED

    return trial


def chosen_seeds(of: int) -> Trial:
    """The best five of so many seeds by gold, under their own numbers."""

    def trial(rng: Rng, forged: bool) -> bool:
        best = np.sort(np.argsort(-rng.normal(size=of))[:5])
        seeds = tuple(map(int, best)) if forged else tuple(range(5))
        spec = SPEC.model_copy(update={"seeds": seeds})
        digest = hashlib.sha256(canonical_json(spec.to_json()).encode()).hexdigest()
        run = SubmittedRun.model_construct(spec=spec, spec_sha256=digest)
        failed = {one.check for one in judge_spec(run, "") if one.outcome == "fail"}
        assert failed <= {"seeds"}
        return bool(failed)

    return trial


def renumbered_seeds(of: int, spread: float = 0.3) -> Trial:
    """The best five of so many seeds by gold, called seeds 0 to 4; T1 builds these seeds' proxies.

    spread: of a seed's proxy around what all have in common; at 0.3, scores of two seeds agree at
    some r = 0.9.
    """

    def trial(rng: Rng, forged: bool) -> bool:
        language, own = Language(rng), rng.normal(size=(of, WORDS))
        proxy_SV = language.proxy_V + spread * np.where(np.arange(WORDS) < WORDS - 1, own, 0.0)

        def sampled(seed: int, rows: int) -> Drawn:
            language.proxy_V = proxy_SV[seed]
            language.direction_PV = np.tile(proxy_SV[seed], (WORDS, 1))
            return draw(language, language.policy(2.0), rows, rng)

        best = np.argsort([-sampled(seed, 256).gold.mean() for seed in range(of)])
        found: list[Finding] = []
        for number, seed in enumerate(best[:5] if forged else range(5)):
            drawn = sampled(int(seed), 1024)
            cell = make_cell(language, 0, number, rng)
            samples = make_samples(cell, [drawn], 128, 0)
            word_NT = np.where(
                samples.responses.ids_NT == EOS, WORDS - 1, samples.responses.ids_NT - 4
            )
            score_NT = np.where(samples.responses.mask_NT, proxy_SV[number][word_NT], 0.0)
            ours = _ours(cell, samples, rng)._replace(proxy=score_NT.sum(axis=1))
            found += compare(cell, samples, ours, True, "")
        return any(one.outcome == "fail" for one in found)

    return trial


def _ours(cell: Cell, samples: Samples, rng: Rng) -> Recomputed:
    """What another processor finds for the tokens of an honest page."""

    def near(values: Floats) -> Floats:
        return values + MACHINE * rng.normal(size=len(values))

    return Recomputed(
        reference_logp=near(samples.reference_logp),
        gold=samples.gold,
        proxy=near(samples.proxy),
        gold_mean=cell.gold_mean,
        gold_sd=cell.gold_sd,
        proxy_offset=cell.proxy_offset,
        proxy_offset_se=0.01,
        start_gold_B=samples.prompt_gold_KB[0],
        in_pool=1.0,
    )


def recomputed(change: Callable[[Cell, Samples, Rng], Samples]) -> Trial:
    """A page that T1 holds against what another processor finds for its tokens."""

    def trial(rng: Rng, forged: bool) -> bool:
        entry = make_entry(rng, 1, 1)
        cell, samples = entry.cells[0], entry.samples[0]

        ours = _ours(cell, samples, rng)
        page = remade(cell, change(cell, samples, rng)) if forged else samples
        return any(one.outcome == "fail" for one in compare(cell, page, ours, True, ""))

    return trial


def other_reference(cell: Cell, samples: Samples, rng: Rng) -> Samples:
    """A reference that lies 5 % of the way to the policy: every KL is 5 % smaller."""
    moved = 0.05 * (samples.policy_logp - samples.reference_logp)
    return samples._replace(reference_logp=samples.reference_logp + moved)


def better_gold(cell: Cell, samples: Samples, rng: Rng) -> Samples:
    """Gold of one sample in a hundred raised by half an SD."""
    lifted = rng.random(len(samples.gold)) < 0.01
    return samples._replace(gold=samples.gold + 0.5 * cell.gold_sd * lifted)


FORGERIES = (
    Forgery("the better of two samples, in every fifth slot", "T0", "consistent_*", picked(0.2)),
    Forgery("log-ratios and KL halved", "T0", "consistent_normalization", changed(stretched(0.5))),
    Forgery("the policy's log-probabilities alone", "T0", "consistent_kl", changed(lowered(0.05))),
    Forgery("the KL of the axis 5 % smaller", "T0", "consistent_kl", changed(shrunk(0.95))),
    Forgery("k2 called Rao-Blackwellized", "T0", "consistent_kl", changed(mislabeled)),
    Forgery("one point raised by 0.001 SD", "T0", "arithmetic", altered_point(0.001)),
    Forgery("another entry's samples, 0.01 nats of noise", "T0", "copy", copied(0.01)),
    Forgery("the best 5 of 20 seeds", "T0", "seeds", chosen_seeds(20)),
    Forgery(
        "a reference nearer to the policy", "T1", "reference_logp", recomputed(other_reference)
    ),
    Forgery("the best 5 of 20 seeds, called 0 to 4", "T1", "proxy", renumbered_seeds(20)),
    Forgery("gold of one sample in a hundred", "T1", "gold", recomputed(better_gold)),
)
"""Those whose detection is a matter of chance or of size; the rest is in ``test_forgeries``."""
