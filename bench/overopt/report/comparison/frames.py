"""Decided contests as tidy tables and as tables for readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from overopt.report.comparison.contest import Pair, Ranking, Standing, show_interval, show_p
from overopt.report.tables.text import MISSING, TextTable, show_number
from overopt.stats.comparisons.improvement import performance_profile

_PAIRED = {"seeds and prompts": "seeds, prompts", "nothing": "not paired"}


_NUMBERS = (
    *("score", "low", "high", "kl_nats", "difference", "difference_low", "difference_high"),
    *("p_holm", "smallest_seen", "chance_above_reference", "at_kl_nats"),
)
_PAIR_NUMBERS = (
    *("difference", "low", "high", "se", "p", "p_holm", "smallest_seen", "chance_first_above"),
    *("within_low", "within_high", "within_p", "at_kl_nats"),
)


def _typed(table: pd.DataFrame, numbers: Sequence[str]) -> pd.DataFrame:
    """Columns of numbers as float64, NaN for what is missing, also where all of it is."""
    return table.astype(dict.fromkeys(numbers, np.float64))


def table_frame(rankings: Sequence[Ranking]) -> pd.DataFrame:
    """One row per method of each contest, ranked ones first; an empty cell is a missing value."""
    table = pd.DataFrame([row for one in rankings for row in standing_rows(one)])
    return _typed(table, _NUMBERS).astype({"rank_best": "Int64", "rank_worst": "Int64"})


def pair_frame(rankings: Sequence[Ranking]) -> pd.DataFrame:
    """One row per pair of ranked methods, in full precision."""
    columns = list(pair_row(None))
    rows = [setting(one) | pair_row(pair) for one in rankings for pair in one.pairs]
    return _typed(pd.DataFrame(rows, columns=[*_SETTING, *columns]), _PAIR_NUMBERS)


def profile_frame(rankings: Sequence[Ranking]) -> pd.DataFrame:
    """Share of runs that score above each threshold; thresholds are all scores of the contest."""
    rows = []
    for one in rankings:
        values = [score.value_S for scores in one.scores.values() for score in scores.values()]
        tau_T = np.unique(np.concatenate(values)) if values else np.array([])
        for standing in one.ranked:
            runs = [score.value_S for score in one.scores[standing.method].values()]
            share_T = performance_profile(runs, tau_T)
            rows += [
                {**setting(one), "method": standing.method, "threshold": tau, "share_above": share}
                for tau, share in zip(tau_T.tolist(), share_T.tolist(), strict=True)
            ]
    return pd.DataFrame(rows, columns=[*_SETTING, "method", "threshold", "share_above"])


def show_ranking(ranking: Ranking) -> TextTable:
    """A contest for readers: score, ranks left open, ties, and the difference to the reference."""
    digits = ranking.question.digits
    reference = ranking.reference
    all_pairs = ranking.baseline is None
    several = len(ranking.ranked) > 1
    rows = []
    for one in ranking.standings:
        pair, found = ranking.against_reference(one.method) or (None, None)
        place = (
            show_ranks(one) if several else MISSING,
            one.ties if several and one.ties else MISSING,
        )
        rows.append(
            (
                one.method,
                show_interval(one.score, digits) if one.ranks else "not ranked",
                *(place if all_pairs else ()),
                show_interval(found, digits),
                show_p(pair.p_holm) if pair else MISSING,
                show_number(pair.sees, digits) if pair else MISSING,
                paired_by(pair) if pair else MISSING,
            )
        )
    to = f"to {reference.method}" if reference is not None else "to best"
    return TextTable(
        name="compare",
        title=ranking.contest.title,
        header=("method", ranking.question.score, *(("rank", "ties") if all_pairs else ()), to,
                "p (Holm)", "sees", "paired by"),
        rows=tuple(rows),
        words=1,
        note=_note(ranking),
    )  # fmt: skip


def show_ranks(one: Standing) -> str:
    """The ranks that the decisions leave open."""
    if one.ranks is None:
        return MISSING
    best, worst = one.ranks
    return str(best) if best == worst else f"{best}–{worst}"


def notes_of(ranking: Ranking) -> list[str]:
    """What a reader must know of single methods."""
    found: dict[str, list[str]] = {}
    for one in ranking.standings:
        if one.note:
            found.setdefault(one.note, []).append(one.method)
    return [f"{', '.join(names)}: {note}" for note, names in found.items()]


_SETTING = ("task", "proxy", "noise", "worlds", "seeds", "metric", "at_kl_nats")


def setting(ranking: Ranking) -> dict[str, Any]:
    contest, question = ranking.contest, ranking.question
    at_kl = question.at_kl_nats if question.metric == "gold-at-kl" else None
    values = (
        contest.task,
        contest.proxy,
        contest.noise,
        " ".join(map(str, sorted(contest.seeds_of))),
        contest.n_seeds,
        question.metric,
        at_kl,
    )
    return dict(zip(_SETTING, values, strict=True))


def standing_rows(ranking: Ranking) -> list[dict[str, Any]]:
    reference = ranking.reference
    several = len(ranking.ranked) > 1
    rows = []
    for one in ranking.standings:
        score = one.score
        row: dict[str, Any] = {
            **setting(ranking),
            "method": one.method,
            "family": one.family,
            "sees_proxy": one.sees_proxy,
            "ranked": one.ranks is not None,
            "rank_best": one.ranks.best if one.ranks and several else None,
            "rank_worst": one.ranks.worst if one.ranks and several else None,
            "ties": one.ties if several else "",
            "score": score.mean if score else None,
            "low": score.low if score else None,
            "high": score.high if score else None,
            "interval_over": score.over if score else "",
            "kl_nats": one.kl_nats,
        }
        pair, found = ranking.against_reference(one.method) or (None, None)
        chance = None
        if pair is not None:
            chance = pair.chance if pair.first == one.method else 1.0 - pair.chance
        row |= {
            "reference": reference.method if reference is not None else None,
            "difference": found.mean if found else None,
            "difference_low": found.low if found else None,
            "difference_high": found.high if found else None,
            "p_holm": pair.p_holm if pair else None,
            "differs": pair.differs if pair else None,
            "smallest_seen": pair.sees if pair else None,
            "chance_above_reference": chance,
            "paired_by": paired_by(pair) if pair else "",
            "exploratory": ranking.exploratory,
            "note": one.note,
        }
        rows.append(row)
    return rows


def pair_row(pair: Pair | None) -> dict[str, Any]:
    """A pair as columns; without one, the columns alone."""
    found = pair.difference if pair else None
    within = pair.within if pair else None
    return {
        "first": pair.first if pair else None,
        "second": pair.second if pair else None,
        "difference": found.mean if found else None,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "se": found.se if found else None,
        "p": found.p if found else None,
        "p_holm": pair.p_holm if pair else None,
        "differs": pair.differs if pair else None,
        "smallest_seen": pair.sees if pair else None,
        "chance_first_above": pair.chance if pair else None,
        "paired_by": paired_by(pair) if pair else None,
        "across_worlds": found.across_worlds if found else None,
        "within_low": within.low if within else None,
        "within_high": within.high if within else None,
        "within_p": within.p if within else None,
    }


def paired_by(pair: Pair) -> str:
    """What a pair was paired by, and whether worlds are the unit."""
    by = pair.difference.paired_by
    shown = _PAIRED.get(by, by)
    return f"{shown}; worlds" if pair.difference.across_worlds else shown


def family(ranking: Ranking) -> str:
    """Which tests were made, and corrected for together."""
    if ranking.baseline is None:
        return (
            "Ranks: what all pairwise tests leave open, Holm-corrected together at 5 %; methods "
            "that share a letter are not told apart."
        )
    return (
        f"p: each method against {ranking.baseline}, Holm-corrected together at 5 %; no other "
        "pair is tested."
    )


def _note(ranking: Ranking) -> str:
    if not ranking.ranked:
        return ""
    over = sorted({one.score.over for one in ranking.ranked if one.score})
    unit = "of the oracle's area" if ranking.question.metric == "hypervolume" else "in SDs"
    said = (
        f"Scores {unit}, 95 % intervals over {' or '.join(over)}. {family(ranking)} Intervals of "
        "differences are of one comparison each; sees: the smallest difference that this design "
        "declares with 80 % power."
    )
    pairings = {pair.difference.paired_by for pair in ranking.pairs}
    if "seeds" in pairings:
        said += " Paired by seeds alone where gold was not stored by prompt."
    if "nothing" in pairings:
        said += " Not paired, where only intervals were stored: wider than needed, as a rule."
    counts = {pair.difference.n_worlds for pair in ranking.pairs}
    if counts and max(counts) > 1:
        across = any(pair.difference.across_worlds for pair in ranking.pairs)
        said += (
            " The unit is the world mean, for any world of the kind."
            if across
            else " Fewer than 3 worlds: it holds for these worlds only."
        )
    return said
