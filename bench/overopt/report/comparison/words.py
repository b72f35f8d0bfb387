"""A decided contest in sentences: which is best, by how much, and could it have been seen."""

from __future__ import annotations

from collections.abc import Sequence

from overopt.report.comparison.contest import Pair, Ranking, Standing, show_interval, show_p
from overopt.report.tables.text import show_number

_NAMED = 4
"""Methods that a sentence names before it counts."""

_SCORE = {"gold-at-kl": "gold", "peak": "gold", "end": "gold", "hypervolume": "hypervolume"}


def verdict(ranking: Ranking) -> str:
    """Which is best, and is the difference significant: one or a few sentences."""
    ranked = ranking.ranked
    if len(ranked) < 2:
        said = _nothing_to_rank(ranking)
    else:
        named = ranking.question.baseline
        if ranking.baseline is not None:
            said = _against(ranking, ranking.baseline)
        else:
            said = _best(ranking) + (_no_baseline(ranking, named) if named is not None else "")
        said += _left_out(ranking)
        said += _told_of_gold(ranking)
        said += _scope(ranking)
    if ranking.exploratory:
        n = ranking.contest.n_seeds
        said += f" Exploratory: {n} seed{'s' if n > 1 else ''}, fewer than 5."
    return said


def join(names: Sequence[str], named: int = _NAMED) -> str:
    """Names in a row; beyond some of them, how many more."""
    shown = list(names)
    if len(shown) > named + 1:
        shown = [*shown[:named], f"{len(names) - named} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _best(ranking: Ranking) -> str:
    digits = ranking.question.digits
    best, second = ranking.ranked[:2]
    pairs = [ranking.pair(best.method, one.method) for one in ranking.ranked[1:]]
    ties = [pair.second for pair in pairs if not pair.differs]
    beaten = [pair.second for pair in pairs if pair.differs]
    if not ties:
        pair = pairs[0]
        to = f"{second.method}, the next," if len(pairs) > 1 else second.method
        return (
            f"{best.method} is best {ranking.question.where}; the difference to {to} is "
            f"{_told(pair, digits)}."
        )
    closest = next(pair for pair in pairs if not pair.differs)
    score = f"{_SCORE[ranking.question.metric]}, {show_number(_mean(best), digits)}"
    sees = ""
    if closest.sees is not None:
        sees = f"; this design sees {show_number(closest.sees, digits)}"
    said = (
        f"No difference shown {ranking.question.where} between {best.method} (highest {score}) and "
        f"{join(ties)}; to {closest.second} it is {_told(closest, digits)}{sees}."
    )
    return said + (f" {best.method} is better than {join(beaten)}." if beaten else "")


def _told(pair: Pair, digits: int) -> str:
    """A difference with its interval and its corrected p value."""
    interval = show_interval(pair.difference, digits)
    if pair.p_holm is None:
        return f"{interval} (no test: one seed, or no spread)"
    p = "p < 0.001" if pair.p_holm < 0.001 else f"p = {show_p(pair.p_holm)}"
    return f"{interval}, {p} after Holm"


def _mean(one: Standing) -> float:
    assert one.score is not None, "a ranked method has a score"
    return one.score.mean


def _no_baseline(ranking: Ranking, named: str) -> str:
    """Why nothing is set against the baseline."""
    entered = named in {one.method for one in ranking.standings}
    why = "is not ranked here" if entered else "is not among these methods"
    return f" The baseline {named} {why}."


def _against(ranking: Ranking, baseline: str) -> str:
    """What is better and what is worse than a baseline, and the largest gain that is not shown."""
    better: list[str] = []
    worse: list[str] = []
    tied: list[str] = []
    for pair in ranking.pairs:
        above = pair.second == baseline
        name = pair.first if above else pair.second
        (tied if not pair.differs else better if above else worse).append(name)
    parts = [
        f"{kind}: {join(names)}"
        for kind, names in (("better", better), ("no difference shown", tied), ("worse", worse))
        if names
    ]
    said = f"Against {baseline} {ranking.question.where}: {'; '.join(parts)}."
    open_gain = next((p for p in ranking.pairs if not p.differs and p.second == baseline), None)
    if open_gain is None:
        return said
    digits = ranking.question.digits
    said += f" Of these the highest, {open_gain.first}, has {_told(open_gain, digits)}"
    if open_gain.sees is not None:
        said += f"; this design sees {show_number(open_gain.sees, digits)}"
    return f"{said}."


def _left_out(ranking: Ranking) -> str:
    """Methods that are not ranked, with their reason where it is not plain."""
    missing = [one for one in ranking.standings if one.ranks is None]
    if not missing:
        return ""
    if ranking.question.metric == "gold-at-kl" and all(
        one.note.startswith("not reached") for one in missing
    ):
        names = join([one.method for one in missing])
        kl = ranking.question.at_kl
        return f" Not ranked, since not every seed reached {kl}: {names}."
    return f" Not ranked: {join([f'{one.method} ({one.note})' for one in missing])}."


def _told_of_gold(ranking: Ranking) -> str:
    """Which of the methods knew more of gold than noisy comparisons tell."""
    used = [(one.method, one.uses_gold) for one in ranking.contest.entrants]
    named = [f"{name} ({use})" for name, use in used if use != "none"]
    return f" Uses gold beyond noisy comparisons: {join(named)}." if named else ""


def _scope(ranking: Ranking) -> str:
    """What a verdict does not speak of."""
    found = [pair.difference for pair in ranking.pairs]
    if any(one.paired_by == "seeds" and not one.across_worlds for one in found):
        return " Paired by seeds alone: it holds for these prompts."
    if any(one.paired_by == "prompts" for one in found):
        return " One seed: it holds for these very training runs."
    return ""


def _nothing_to_rank(ranking: Ranking) -> str:
    ranked = ranking.ranked
    only = f"only {ranked[0].method} can be ranked" if ranked else "no method can be ranked"
    if ranking.question.metric == "gold-at-kl":
        kl = ranking.question.at_kl
        only = f"only {ranked[0].method}" if ranked else "no method"
        said = f"Nothing to rank: {only} reached {kl} in every seed."
        reach = ranking.contest.reach_nats
        if reach is not None and reach < ranking.question.at_kl_nats:
            said += f" Two methods reached {reach:g} nats: try that."
        return said
    reasons = "; ".join(f"{one.method}: {one.note}" for one in ranking.standings if not one.ranks)
    return f"Nothing to rank: {only} {ranking.question.where} ({reasons})."
