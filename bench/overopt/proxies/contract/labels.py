"""What labels say beside which response is preferred, and who is asked for them.

A file asks for columns by LABELS; its loss finds them in ``ReadBatch.labels``:
    category: (P,) which kind the prompt is, from 0; whole numbers.
    strength: (P,) how far apart gold holds both responses, in SDs of the initial policy, at
        least 0 whichever of them the label prefers.
    terms: (P, K) of each term of the gold rule, which side is better by it: 1 the preferred one,
        -1 the other, 0 where they are equal; through the same noise as the preference, drawn for
        each term on its own.
    ratings: (P, 2, K) the terms themselves, of the preferred side and of the other, in SDs of the
        initial policy; changed over where noise has turned what ``terms`` says of the pair.
    outcomes: (P, 2), 1 where the preferred response and the other end right, else 0; through the
        noise of labels, drawn for each on its own, right against wrong counting as one SD.
    annotator: (P,) which population of annotators labeled the pair, from 0; whole numbers. Labels
        of a population are by its own weights of the gold rule's terms.
    clean: (P,) True where the label passed no noise.
Where a task's ``[labels]`` has clean ones, terms, ratings and outcomes of these pairs pass no noise
either, and where its noise differs by group of prompts, they have the rate of the group.
annotator and clean are known where a task's ``[labels]`` has annotators, or a share of clean ones.
strength, terms, ratings and outcomes tell more of gold than a comparison does: a file that asks for
them declares USES_GOLD = "training".
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from overopt.proxies.contract import ProxySystem


class PairTags(NamedTuple):
    """What is known of P pairs before gold is asked, and what gold labels were worth on others.

    tag_PF: bool (P, F), tags of each pair: its prompt's category, and thirds of lengths, overlap
        and log-probabilities.
    trial_count_KF: (K, F), in each of K trials, how many of the gold-labeled pairs had each tag.
    trial_score_K: (K,), held-out accuracy of the reward model of each trial, 0 to 1.
    """

    tag_PF: npt.NDArray[np.bool_]
    trial_count_KF: npt.NDArray[np.float64]
    trial_score_K: npt.NDArray[np.float64]


class Routes(ProxySystem, Protocol):
    """A module that says which pairs gold is asked for; the rest keep the labels that there are.

    Its ``Config`` has ``budget``, the share of the pairs that gold may label, and ``trials``, K.
    """

    def route(self, config: Any, features: PairTags, budget: int, /) -> npt.NDArray[np.bool_]:
        """Which of the P pairs gold labels, bool (P,), at most ``budget`` of them."""
        ...
