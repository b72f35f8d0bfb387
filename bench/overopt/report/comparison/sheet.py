"""The comparison on the page: the first table, one contest at a time."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.report.comparison.contest import Ranking
from overopt.report.comparison.frames import paired_by, show_ranking, show_ranks
from overopt.report.html.sheet import Cell, Column, Sheet, Spread
from overopt.report.noise_labels import name_noise


def comparison_sheet(
    rankings: Sequence[Ranking], verdicts: Sequence[str], notes: Sequence[str]
) -> Sheet:
    """One row per method of every contest; the filters show one contest, the largest of them first.

    Ranks and ties hold within a contest, so that proxy, noise and worlds are always chosen.

    Args:
        rankings: of a comparison, at least one.
        verdicts: its verdicts.
        notes: what it kept apart.
    """
    # the reader meets the setting first in which most can be ranked
    order = sorted(range(len(rankings)), key=lambda place: -len(rankings[place].ranked))
    rankings = [rankings[place] for place in order]
    verdicts = [verdicts[place] for place in order]
    first = rankings[0]
    tasks = list(dict.fromkeys(one.contest.task for one in rankings))
    digits = first.question.digits
    columns = (
        Column("method", "method"),
        Column("family", "family", "any"),
        *((Column("task", "task", "one"),) if len(tasks) > 1 else ()),
        Column("proxy", "proxy", "one", help="of methods that see one"),
        Column(
            "noise",
            "noise",
            "one",
            words={one.contest.noise: name_noise(one.contest.noise) for one in rankings},
        ),
        Column("worlds", "worlds", "one", help="seeds of the worlds; several: their means count"),
        Column("score", first.question.score, digits=digits),
        Column("rank", "rank", help="ranks that the pairwise tests leave open"),
        Column("ties", "ties", help="sharing a letter: not told apart; of many, how many"),
        Column("difference", "to the best", digits=digits),
        Column("p", "p (Holm)", digits=None, help="after Holm's correction over all pairs"),
        Column("sees", "sees", digits=digits, help="smallest difference seen with 80 % power"),
        Column("chance", "P(> best)", help="chance that one seed beats one of the best method"),
        Column("paired", "paired by"),
        Column("notes", "notes"),
    )
    contest = first.contest
    return Sheet(
        name="comparison",
        title=f"Which method is best {first.question.where}?",
        columns=columns,
        rows=[row for one in rankings for row in _rows(one)],
        chooses="method",
        note=" ".join([show_ranking(first).note, *notes]),
        first={
            "task": contest.task,
            "proxy": contest.proxy,
            "noise": contest.noise,
            "worlds": _worlds(first),
        },
        lead=tuple(verdicts),
    )


def _worlds(ranking: Ranking) -> str:
    return " ".join(map(str, sorted(ranking.contest.seeds_of)))


def _rows(ranking: Ranking) -> list[dict[str, Cell]]:
    rows = []
    for one in ranking.standings:
        pair, found = ranking.against_reference(one.method) or (None, None)
        score = one.score
        chance = None
        if pair is not None:
            chance = pair.chance if pair.first == one.method else 1.0 - pair.chance
        rows.append(
            {
                "method": one.method,
                "family": one.family,
                "task": ranking.contest.task,
                "proxy": ranking.contest.proxy,
                "noise": ranking.contest.noise,
                "worlds": _worlds(ranking),
                "score": Spread(score.mean, score.low, score.high) if score else None,
                "rank": show_ranks(one) if len(ranking.ranked) > 1 else "",
                "ties": one.ties if len(ranking.ranked) > 1 else "",
                "difference": Spread(found.mean, found.low, found.high) if found else None,
                "p": pair.p_holm if pair else None,
                "sees": pair.sees if pair else None,
                "chance": chance,
                "paired": paired_by(pair) if pair else "",
                "notes": one.note,
            }
        )
    return rows
