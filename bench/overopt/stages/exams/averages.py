"""Averages of a system's members, by weights and by predictions, on pairs at home and under shift.

Predictions are raw rewards: those of models that differ in a linear head alone are then the same as
those of their averaged weights, exactly. Two members at a time, the first with the second, the
third with the fourth and so on, are averaged at several shares, and means are over these pairs of
members. Members are ranked by their accuracy under shift on every other prompt, and averages of
them, one after the other, are examined on the rest; means are over 2 to M - 1 members.

Reference:
    WARM: On the Benefits of Weight Averaged Reward Models, sections 3 and 4,
    https://arxiv.org/abs/2401.12187
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from overopt.artifacts.preferences import LabeledPairs, load_preferences
from overopt.artifacts.proxy import Member
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import Table, write_json
from overopt.execution.contract import Progress
from overopt.models.rewards.reward import score
from overopt.models.weights import set_weights, weights_of
from overopt.stages.exams.reading import Sets, mark_row, read_sets
from overopt.stats.arrays import Floats, Ints
from overopt.stats.exams.averages import (
    MEMBERS,
    PREDICTIONS,
    SHARES,
    WEIGHTS,
    at_share,
    orders_of,
    pairs_of,
    uniform,
)
from overopt.stats.exams.designs import HOME, KEPT, SHIFT, SWAPPED
from overopt.stats.exams.marks import Mark, agreement, preferred
from overopt.worlds.contract import World, world_of
from overopt.worlds.tokens import Tokens, concatenate

Answer = Callable[[Floats], Floats]
"""What the average of members with these shares (M,) says of every question."""

RANKED, TESTED = "shift, ranked", "shift, tested"
"""Halves of the prompts under shift."""


class Questions(NamedTuple):
    """All that a model is asked: rewards of A responses, and how they are graded.

    prompts, responses: of the samples of line-ups, then chosen, then rejected sides of P pairs.
    lineups: by exam, places (S, R) among the responses, and the gold there. agrees_P: which labels
    are as gold has them.
    """

    prompts: Tokens
    responses: Tokens
    lineups: dict[str, tuple[Ints, Floats]]
    agrees_P: npt.NDArray[np.bool_]

    def grade(self, reward_A: Floats) -> dict[str, Mark]:
        """By exam; those without a pair are left out."""
        pairs = len(self.agrees_P)
        margin_P = reward_A[-2 * pairs : -pairs] - reward_A[-pairs:]
        found = {
            name: agreement(reward_A[place_SR], gold_SR)
            for name, (place_SR, gold_SR) in self.lineups.items()
        }
        found[KEPT] = preferred(margin_P[self.agrees_P])
        found[SWAPPED] = preferred(margin_P[~self.agrees_P])
        return {name: mark for name, mark in found.items() if mark is not None}


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write ``marks.json``: accuracies of every average.

    params: ``world``, ``members``, ``seed``. inputs: ``member.<m>``, ``sets``, ``pool`` and
    ``labels``.
    """
    world = world_of(params)
    members = int(params["members"])
    asked = questions(
        world,
        Table(inputs["pool"] / "samples.parquet"),
        read_sets(inputs["sets"]),
        load_preferences(inputs["labels"], world),
    )
    opened = [Member(inputs[f"member.{member}"], world) for member in range(members)]
    own = [{name: value.clone() for name, value in weights_of(one.model).items()} for one in opened]
    scorer = opened[0]
    prompts, responses = scorer.reading(asked.prompts, asked.responses)

    def averaged(share_M: Floats) -> Floats:
        there = [(share, one) for share, one in zip(share_M.tolist(), own, strict=True) if share]
        mixed = {
            name: torch.stack([share * one[name] for share, one in there]).sum(0) for name in own[0]
        }
        set_weights(scorer.model, mixed)
        return score(scorer.model, prompts, responses)

    reward_MA = np.stack([averaged(uniform([member], members)) for member in range(members)])
    progress(0.3, f"{members} members")
    rng = numpy_rng(int(params["seed"]), "exam", "order")
    write_json(out / "marks.json", {"marks": marks_of(asked, reward_MA, averaged, rng)})


def questions(world: World, pool: Table, sets: dict[str, Sets], labeled: LabeledPairs) -> Questions:
    """What is asked of every average."""
    known = {name: sets[name] for name in (HOME, SHIFT) if name in sets}
    rows = [one.row_SR.ravel() for one in known.values()]
    row_A = np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)
    gold_N = pool.floats("gold")
    lineups = {}
    for name, one in known.items():
        lineups[name] = np.searchsorted(row_A, one.row_SR), gold_N[one.row_SR]
    if SHIFT in known:
        place_SR, gold_SR = lineups[SHIFT]
        is_odd_S = known[SHIFT].prompt_S % 2 == 1
        lineups[RANKED] = place_SR[~is_odd_S], gold_SR[~is_odd_S]
        lineups[TESTED] = place_SR[is_odd_S], gold_SR[is_odd_S]
    pairs = labeled.preferences
    asked_of = world.heldout_prompts.take(pool.integers("prompt_id")[row_A])
    return Questions(
        concatenate([asked_of, pairs.prompts, pairs.prompts]),
        concatenate([pool.tokens("response").take(row_A), pairs.chosen, pairs.rejected]),
        lineups,
        labeled.agrees_P,
    )


def marks_of(
    asked: Questions, reward_MA: Floats, averaged: Answer, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """All lines of the exam.

    Args:
        asked: the questions.
        reward_MA: what each member says of them.
        averaged: what averaged weights say of them.
        rng: draws the random order.
    """
    members = len(reward_MA)
    alone = [asked.grade(reward_A) for reward_A in reward_MA]
    rows = []
    for share in SHARES:
        several = pairs_of(members, share)
        rows += _rows(at_share(WEIGHTS, share), [asked.grade(averaged(one)) for one in several])
        rows += _rows(
            at_share(PREDICTIONS, share), [asked.grade(one @ reward_MA) for one in several]
        )
        rows += _rows(at_share(MEMBERS, share), [_chord(one, alone) for one in several])
    every = uniform(range(members), members)
    rows += _rows(WEIGHTS, [asked.grade(averaged(every))])
    rows += _rows(PREDICTIONS, [asked.grade(every @ reward_MA)])
    rows += _rows(MEMBERS, [_chord(every, alone)])
    if members > 2 and all(RANKED in one for one in alone):
        rows += _orders(asked, alone, averaged, rng)
    return rows


def _orders(
    asked: Questions,
    alone: Sequence[dict[str, Mark]],
    averaged: Answer,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Averages of 2 to M - 1 members, added in three orders, on the prompts that ranked nobody."""
    members = len(alone)
    rows = []
    for name, order in orders_of([one[RANKED].value for one in alone], rng).items():
        several = []
        for count in range(2, members):
            graded = asked.grade(averaged(uniform(order[:count], members)))
            if TESTED in graded:
                several.append({SHIFT: graded[TESTED]})
        rows += _rows(name, several)
    return rows


def _chord(share_M: Floats, alone: Sequence[dict[str, Mark]]) -> dict[str, Mark]:
    """The members' accuracies in proportion to their shares."""
    there = [(share, one) for share, one in zip(share_M, alone, strict=True) if share]
    return {
        exam: Mark(float(sum(share * one[exam].value for share, one in there)), mark.number)
        for exam, mark in there[0][1].items()
    }


def _rows(of: str, several: Sequence[dict[str, Mark]]) -> list[dict[str, Any]]:
    """The mean of several models' marks, by exam; halves of an exam are not shown."""
    if not several:
        return []
    return [
        mark_row(exam, of, float(np.mean([one[exam].value for one in several])), mark.number)
        for exam, mark in several[0].items()
        if exam not in (RANKED, TESTED)
    ]
