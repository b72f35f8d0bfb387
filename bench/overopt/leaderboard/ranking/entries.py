"""Reads what is known of entries off the records of their runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from overopt.leaderboard.ranking.facts import Facts, Status, Track
from overopt.report.comparison.contest import Contest, Entrant
from overopt.report.comparison.systems import Compared, name_system
from overopt.report.stored.methods import GOLD_USES, gold_use, sees_proxy
from overopt.report.stored.results import Results
from overopt.report.stored.run import Run

_Place = tuple[str, str, int, str]
"""Task, label noise, world and what the entry is called: each has runs of its own."""

Known = Mapping[_Place, Facts]
"""What is known of an entry's runs."""

Ran = Mapping[_Place, Sequence[Run]]
"""An entry's runs."""


def track_of(entrant: Entrant) -> Track:
    """Where a method competes.

    Inference time: it draws from the initial policy and changes no weights. Offline: it learns
    from the preference data alone. Online: it learns from what its own policy writes.
    """
    if entrant.family == "selection":
        return "inference time"
    online = entrant.sees_proxy or entrant.family in ("rollout", "iterative")
    return "online" if online else "offline"


def facts_of(results: Results, of: Compared, statuses: Mapping[str, Status]) -> Known:
    """Facts of every entry of contests of methods, proxies or systems.

    Entries of proxies are known by ``method × proxy``, since a proxy may meet gold under one method
    only; those of methods by their own label, and with every proxy as systems are.

    Args:
        results: what was read.
        of: what is compared.
        statuses: by method; what is missing is claimed.
    """
    found: dict[_Place, list[Facts]] = {}
    for places, run, method, proxy in _rows(results, of):
        one = _facts(run, method, proxy, statuses.get(method, "claimed"))
        for place in places:
            found.setdefault(place, []).append(one)
    return {key: _together(each) for key, each in found.items()}


def runs_of(results: Results, of: Compared) -> Ran:
    """Runs of every entry, known as facts of entries are."""
    found: dict[_Place, list[Run]] = {}
    for places, run, _, _ in _rows(results, of):
        for place in places:
            mine = found.setdefault(place, [])
            if all(run is not other for other in mine):
                mine.append(run)
    return found


def _rows(results: Results, of: Compared) -> Iterator[tuple[list[_Place], Run, str, str]]:
    """For each method and proxy of a run: what it is known by, the run, and both names."""
    labels = ["task_label", "method_label", "proxy_label", "noise", "world", "method", "proxy",
              "source"]  # fmt: skip
    for row in results.points[labels].drop_duplicates().itertuples(index=False):
        task, method, proxy = str(row.task_label), str(row.method_label), str(row.proxy_label)
        run = results.runs[int(str(row.source))]
        names = {name_system(method, proxy)}
        if not _sees(run, str(row.method)):
            names = {method}
        elif of == "methods":
            names.add(method)
        world = int(float(str(row.world)))
        places = [(task, str(row.noise), world, name) for name in sorted(names)]
        yield places, run, str(row.method), str(row.proxy)


def facts_in(known: Known, contest: Contest, entrant: Entrant, of: Compared) -> Facts:
    """The facts of one entrant of a contest, of its runs in the contest's worlds."""
    return _together(known[place] for place in _places_in(contest, entrant, of))


def runs_in(ran: Ran, contest: Contest, entrant: Entrant, of: Compared) -> list[Run]:
    """The runs of one entrant in the contest's worlds."""
    return [run for place in _places_in(contest, entrant, of) for run in ran[place]]


def _places_in(contest: Contest, entrant: Entrant, of: Compared) -> list[_Place]:
    name = entrant.method
    if of == "proxies":
        name = name_system(contest.proxy, entrant.method)
    elif of == "methods" and entrant.sees_proxy and contest.proxy:
        name = name_system(entrant.method, contest.proxy)
    return [(contest.task, contest.noise, world, name) for world in contest.seeds_of]


def _together(each: Iterable[Facts]) -> Facts:
    """Facts of several runs: the least favorable of each."""
    facts = list(each)
    rates = {one.rates for one in facts}
    statuses = {one.status for one in facts}
    return Facts(
        rates=next((word for word in ("task's own", "tuned") if word in rates), ""),
        uses_gold=max((one.uses_gold for one in facts), key=GOLD_USES.index),
        standard=all(one.standard for one in facts),
        finished_utc=min(one.finished_utc for one in facts),
        status=next(word for word in _WORST if word in statuses),
    )


_WORST: tuple[Status, ...] = ("contested", "claimed", "verified")


def _facts(run: Run, method: str, proxy: str, status: Status) -> Facts:
    spec = _spec(run)
    own = _named(spec.get("methods"), method)
    system = _named(spec.get("proxies"), proxy) if _sees(run, method) else {}
    trains = own.get("family") != "selection" or own.get("member") or own.get("values")
    rates = ""
    if trains:
        rates = "tuned" if spec.get("tuned") is True else "task's own"
    return Facts(
        rates=rates,
        uses_gold=gold_use(own, system),
        standard=run.record.get("standard") is not False,
        finished_utc=str(run.record.get("finished_utc") or ""),
        status=status,
    )


def _sees(run: Run, method: str) -> bool:
    own = _named(_spec(run).get("methods"), method)
    return sees_proxy(own) if own else True


def _spec(run: Run) -> Mapping[str, Any]:
    spec = run.record.get("spec")
    return spec if isinstance(spec, dict) else {}


def _named(each: Any, name: str) -> Mapping[str, Any]:
    for one in each if isinstance(each, list) else []:
        if isinstance(one, dict) and one.get("name") == name:
            return one
    return {}
