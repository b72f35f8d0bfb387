"""What a board is: entries of one track that may be compared, and what was decided of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overopt.leaderboard.ranking.facts import Facts, Track
from overopt.report.comparison.contest import Contest, Ranking
from overopt.report.comparison.question import Question
from overopt.stats.world_means import ACROSS_FROM

QUESTIONS = (
    Question("hypervolume"),
    Question("gold-at-kl", 2.0),
    Question("gold-at-kl", 4.0),
    Question("gold-at-kl", 8.0),
)

HEADLINE_WORLDS, HEADLINE_SEEDS = 3, 5
TRACKS: tuple[Track, ...] = ("offline", "online", "inference time", "reward side")


@dataclass(frozen=True)
class Decided:
    """One question answered on a board.

    Attributes:
        question: what was asked.
        ranking: entries that were tested against each other.
        beside: entries with a score that were not, each alone.
        withheld: why an entry has no rank, by its name; empty for those that have one.
    """

    question: Question
    ranking: Ranking
    beside: tuple[Ranking, ...]
    withheld: Mapping[str, str]


@dataclass(frozen=True)
class Board:
    """Entries of one track that may be compared.

    Attributes:
        track: where they compete.
        contest: what they share; on the reward side its ``proxy`` is the method that proxies are
            optimized by.
        facts: of each entry, by name.
        decided: an answer to every question.
    """

    track: Track
    contest: Contest
    facts: Mapping[str, Facts]
    decided: tuple[Decided, ...]

    @property
    def title(self) -> str:
        """Track and setting in words, distinct among boards."""
        return f"{self.track}: {self.contest.title}"

    @property
    def headline(self) -> bool:
        """Whether enough worlds and seeds stand behind it to speak of other worlds."""
        contest = self.contest
        return len(contest.seeds_of) >= HEADLINE_WORLDS and contest.n_seeds >= HEADLINE_SEEDS

    @property
    def basis(self) -> str:
        """What its ranks speak of."""
        if self.headline:
            return "any world of the kind"
        worlds = len(self.contest.seeds_of)
        few = f"fewer than {ACROSS_FROM} worlds" if worlds < ACROSS_FROM else ""
        seeds = (
            f"fewer than {HEADLINE_SEEDS} seeds" if self.contest.n_seeds < HEADLINE_SEEDS else ""
        )
        why = " and ".join(filter(None, (few, seeds)))
        return f"these worlds only ({why})" if few else f"exploratory ({why})"
