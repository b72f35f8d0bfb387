"""Results split into contests: methods are compared on what they share, or the reader is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from typing import Any, NamedTuple

import pandas as pd

from overopt.errors import UserError
from overopt.report.comparison.contest import Contest, Entrant, Gains
from overopt.report.comparison.prompt_gold import CellKey, PromptGold, cell_key
from overopt.report.comparison.systems import Compared, name_system
from overopt.report.comparison.tuned import rate_note
from overopt.report.group import Group, SeedCurve
from overopt.report.noise_labels import noise_order
from overopt.report.stored.methods import PARTS, Part, gold_use, parts_of, sees_proxy
from overopt.report.stored.results import Results
from overopt.report.stored.run import Run
from overopt.report.stored.schema import GROUP
from overopt.stats.arrays import Floats

_COLUMNS = (
    *(*GROUP, "version", "task_label", "method_label", "proxy_label", "source"),
    *("seed", "status", "kl_nats", "gold_raw_mean", "gold_mean", "n_prompts"),
)
"""What candidates are told from."""

Design = Mapping[int, frozenset[int]]
"""Seeds of each world."""

_SETS_PAIRED = 12
"""Among more different sets of worlds and seeds, only what all share is looked for."""


_ROUNDING = 1e-3
"""SDs of gold by which one and the same initial policy may differ between machines.

Training in floating point gives other last digits on another processor, which moved the initial
gold of `reviews` by 2e-5 SD. Whoever trains it differently is further away than this.
"""


class _Start(NamedTuple):
    """An initial policy as its gold tells it: raw means and the raw SD, over how many prompts."""

    raw: tuple[float, ...]
    sd: float
    prompts: tuple[float, ...]

    def is_like(self, other: _Start) -> bool:
        """Whether it may be the same, made on another machine."""
        if self.prompts != other.prompts or len(self.raw) != len(other.raw):
            return False
        apart = max(abs(one - two) for one, two in zip(self.raw, other.raw, strict=True))
        return apart <= _ROUNDING * max(self.sd, other.sd)


class _Line(NamedTuple):
    """What tells a candidate's groups from those of others; its worlds stand together."""

    task: str
    noise: str
    comparisons: str
    method: str
    proxy: str


@dataclass(frozen=True)
class _Candidate:
    """An entrant with what a comparison asks for and its labels do not name.

    ran: its seeds in each world, failed ones included.
    starts: the initial policy of each world; None where no seed was measured.
    """

    entrant: Entrant
    task: str
    noise: str
    comparisons: str
    proxy: str
    ran: Design
    starts: Mapping[int, _Start | None]

    def covers(self, design: Design) -> bool:
        return all(self.ran.get(world, frozenset()) >= seeds for world, seeds in design.items())


def make_contests(
    results: Results,
    groups: Sequence[Group],
    of: Compared = "methods",
    seeing: Sequence[str] = (),
) -> tuple[list[Contest], list[str]]:
    """Every contest of at least two methods, and sentences on what was kept apart.

    Entrants of a contest share task, gold, label noise, number of comparisons, initial policies,
    worlds and seeds, and those that see a proxy share it. A method that sees none stands in the
    contests of all proxies. Where methods were run in different worlds or with different seeds,
    there is a contest for each set that some of them share.

    Args:
        results: what was read.
        groups: its groups (`overopt.report.groups.group_results`).
        of: what is compared. Of proxies, a contest's ``proxy`` is the method that they stand under,
            and its entrants' ``method`` is the proxy.
        seeing: only with these proxies, by name; candidates that see none stay. Of none, all.

    Raises:
        UserError: no candidate sees one of these proxies.
    """
    everybody = _seeing(list(_candidates(results, groups)), seeing)
    candidates = [_entering(one, of) for one in everybody]
    if of == "proxies":
        candidates = [one for one in candidates if one.entrant.sees_proxy]
    contests: list[Contest] = []
    notes: list[str] = []
    settings: dict[tuple[str, str, str], list[_Candidate]] = {}
    for one in candidates:
        settings.setdefault((one.task, one.noise, one.comparisons), []).append(one)
    for (task, noise, _), mine in settings.items():
        blind = [one for one in mine if not one.entrant.sees_proxy]
        shared: list[tuple[str, Design, list[_Candidate]]] = []
        for proxy in sorted({one.proxy for one in mine if one.entrant.sees_proxy}):
            sighted = [one for one in mine if one.entrant.sees_proxy and one.proxy == proxy]
            for design, members in _shared([*sighted, *blind], notes):
                if any(one.entrant.sees_proxy for one in members):
                    shared.append((proxy, design, members))
        for design, members in _shared(blind, notes):
            if not any(_holds(one, design, members) for one in shared):
                shared.append(("", design, members))
        for proxy, design, members in shared:
            seeds_of = {world: tuple(sorted(seeds)) for world, seeds in design.items()}
            entrants = tuple(one.entrant for one in members)
            contests.append(Contest(task, proxy, noise, seeds_of, entrants))
    entered = {id(one) for contest in contests for one in contest.entrants}
    alone = [one for one in candidates if id(one.entrant) not in entered]
    if alone:
        named = "; ".join(_name(one) for one in alone)
        notes.append(
            f"Not compared, since no other method of these runs shares task, gold, proxy, noise, "
            f"comparisons, initial policy, worlds and seeds: {named}."
        )
    if said := rate_note(run.record for run in results.runs):
        notes.append(said)
    return sorted(contests, key=_order), list(dict.fromkeys(notes))


def _seeing(candidates: list[_Candidate], proxies: Sequence[str]) -> list[_Candidate]:
    """Those that see one of these proxies, whatever its start and size, or none at all."""
    if not proxies:
        return candidates
    of = {id(one): one.proxy.split(",")[0] for one in candidates if one.entrant.sees_proxy}
    for name in proxies:
        if name not in of.values():
            known = f"there are: {', '.join(sorted(set(of.values())))}" if of else "none does"
            raise UserError(f"--proxy {name[:60]}: no method here sees it; {known}.")
    return [one for one in candidates if id(one) not in of or of[id(one)] in proxies]


def _entering(one: _Candidate, of: Compared) -> _Candidate:
    """A candidate as it enters contests of methods, of proxies or of both together."""
    entrant = one.entrant
    if of == "proxies":
        return replace(one, entrant=replace(entrant, method=one.proxy), proxy=entrant.method)
    if of == "systems":
        label = name_system(entrant.method, one.proxy)
        return replace(one, entrant=replace(entrant, method=label, sees_proxy=False), proxy="")
    return one


def _holds(
    found: tuple[str, Design, list[_Candidate]], design: Design, members: Sequence[_Candidate]
) -> bool:
    """Whether a contest has these members in these worlds and seeds already."""
    _, other, others = found
    return all(other.get(world, frozenset()) >= seeds for world, seeds in design.items()) and {
        id(one) for one in members
    } <= {id(one) for one in others}


def _order(contest: Contest) -> tuple[object, ...]:
    """The cleanest labels first, and there the contest of most methods, then of most worlds."""
    worlds = tuple(sorted(contest.seeds_of))
    size = -len(contest.entrants), -len(worlds)
    return contest.task, noise_order(contest.noise), *size, contest.proxy, worlds


def _name(one: _Candidate) -> str:
    proxy = f" × {one.proxy}" if one.entrant.sees_proxy else ""
    worlds = ", ".join(str(world) for world in sorted(one.ran))
    return f"{one.entrant.method}{proxy} ({one.task}, noise {one.noise}, world {worlds})"


def _shared(
    candidates: Sequence[_Candidate], notes: list[str]
) -> Iterator[tuple[Design, list[_Candidate]]]:
    """Worlds and seeds that several candidates share, the largest first, with those that do."""
    seen: list[set[int]] = []
    for design in _designs([one.ran for one in candidates]):
        members = [one for one in candidates if one.covers(design)]
        parts = _by_start(members, design)
        if len(parts) > 1:
            told = " | ".join(
                ", ".join(sorted(one.entrant.method for one in part)) for part in parts
            )
            notes.append(f"Compared apart, since their initial policies differ: {told}.")
        for part in parts:
            names = {id(one) for one in part}
            if len(part) > 1 and not any(names <= earlier for earlier in seen):
                seen.append(names)
                yield design, part


def _by_start(members: Sequence[_Candidate], design: Design) -> list[list[_Candidate]]:
    """Members by their initial policies; where none was measured, with the most others."""
    parts: list[tuple[list[_Start], list[_Candidate]]] = []
    unknown = []
    for one in members:
        starts = [start for world in sorted(design) if (start := one.starts[world]) is not None]
        if len(starts) < len(design):
            unknown.append(one)
            continue
        for others, part in parts:
            if all(start.is_like(other) for start, other in zip(starts, others, strict=True)):
                part.append(one)
                break
        else:
            parts.append((starts, [one]))
    if not parts:
        return [unknown] if unknown else []
    max((part for _, part in parts), key=len).extend(unknown)
    return [part for _, part in parts]


def _designs(ran: Sequence[Design]) -> list[Design]:
    """The sets of worlds and seeds that candidates ran, and what some of them share.

    What any two share, and what all do; among very many different sets, what all do.
    """
    found = {frozenset(one.items()): one for one in ran}
    own = list(found.values())
    met = [reduce(_common, own)] if own else []
    if len(own) <= _SETS_PAIRED:
        met += [_common(one, other) for one, other in combinations(own, 2)]
    found |= {frozenset(one.items()): one for one in met if one}
    return sorted(
        found.values(),
        key=lambda one: (-len(one), -sum(map(len, one.values())), sorted(one)),
    )


def _common(one: Design, other: Design) -> Design:
    both = {world: one[world] & other[world] for world in one.keys() & other.keys()}
    return {world: seeds for world, seeds in both.items() if seeds}


def _candidates(results: Results, groups: Sequence[Group]) -> list[_Candidate]:
    """Each method and proxy of a task and noise, with its worlds together."""
    prompts, families = PromptGold(results), results.families
    # objects, since columns of Arrow strings are slow to take a few rows of
    stored = results.points[list(_COLUMNS)].astype(object)
    rows_of = {
        (str(first["task_label"]), int(first["world"]), str(first["method_label"]),
         str(first["proxy_label"]), str(first["noise"])): rows
        for _, rows in stored.groupby([*GROUP, "version"], dropna=False, sort=False)
        for first in [rows.iloc[0]]
    }  # fmt: skip
    together: dict[_Line, dict[int, tuple[Group, pd.DataFrame]]] = {}
    known: dict[_Line, tuple[bool, str]] = {}
    for group in groups:
        rows = rows_of[group.task, group.world, group.method, group.proxy, group.noise]
        own, system = (_specified(results.runs, rows, part) for part in PARTS)
        sees = sees_proxy(own) if own else True
        # a proxy that only scores a method's policies does not tell its rows apart
        comparisons = str(rows["comparisons"].iloc[0])
        proxy = group.proxy if sees else ""
        line = _Line(group.task, group.noise, comparisons, group.method, proxy)
        together.setdefault(line, {}).setdefault(group.world, (group, rows))
        known[line] = sees, gold_use(own, system if sees else {})
    found = []
    for line, worlds in together.items():
        keys = {
            world: cell_key(tuple(rows[list(GROUP)].iloc[0])) for world, (_, rows) in worlds.items()
        }
        family, (sees, use) = families.get(line.method, ""), known[line]
        groups_of = {world: group for world, (group, _) in worlds.items()}
        found.append(
            _Candidate(
                Entrant(line.method, family, sees, groups_of, _gains(prompts, keys), use),
                task=line.task,
                noise=line.noise,
                comparisons=line.comparisons,
                proxy=line.proxy,
                ran={
                    world: frozenset(int(seed) for seed in rows["seed"])
                    for world, (_, rows) in worlds.items()
                },
                starts={world: _start(rows) for world, (_, rows) in worlds.items()},
            )
        )
    return found


def _gains(prompts: PromptGold, keys: Mapping[int, CellKey]) -> Gains:
    def read(world: int, curve: SeedCurve) -> Floats | None:
        return prompts.gain_KB((*keys[world], curve.seed), curve)

    return read


def _start(rows: pd.DataFrame) -> _Start | None:
    """The initial policy as its raw gold tells it; None where no seed was measured."""
    measured = rows[rows["status"] == "ok"]
    initial = measured[measured["kl_nats"] == 0.0]
    if initial.empty:
        return None
    told = {
        (float(f"{gold:.6g}"), float(prompts))
        for gold, prompts in zip(initial["gold_raw_mean"], initial["n_prompts"], strict=True)
    }
    raw, prompts = zip(*sorted(told), strict=True)
    return _Start(raw, _raw_sd(measured, raw[0]), prompts)


def _raw_sd(measured: pd.DataFrame, initial: float) -> float:
    """SD of raw gold under the initial policy, from a point's gold in such SDs; 0: not known."""
    gain = measured["gold_mean"].astype(float)
    if gain.empty or not (largest := gain.abs().max()) > 0.0:
        return 0.0
    raw = measured["gold_raw_mean"].astype(float)[gain.abs() == largest].iloc[0]
    return abs(float(raw) - initial) / float(largest)


def _specified(runs: Sequence[Run], rows: pd.DataFrame, part: Part) -> Mapping[str, Any]:
    """What the record of a line's first run says of its ``method`` or its ``proxy``."""
    first = rows.iloc[0]
    named = parts_of(runs[int(first["source"])].record, part)
    return next((one for one in named if one.get("name") == first[part]), {})
