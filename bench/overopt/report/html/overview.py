"""The table of all methods, one row per curve, with its columns and filters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from overopt.report.group import Group
from overopt.report.html.sheet import Cell, Column, Sheet, Spread
from overopt.report.noise_labels import name_noise
from overopt.report.tables.peaks import describe_basis, describe_gaps, proxy_at_end
from overopt.stats.crossed import Crossed, Place


def methods_sheet(lines: Sequence[Group], families: Mapping[str, str]) -> Sheet:
    """One row per curve; its gold at the peak and at the end as every table has them.

    Args:
        lines: curves of single worlds and means over worlds, in the order of the page's data.
        families: of each method.
    """
    tasks = list(dict.fromkeys(line.task for line in lines))
    columns = (
        Column("method", "method"),
        Column("family", "family", "any"),
        *((Column("task", "task", "one"),) if len(tasks) > 1 else ()),
        Column("proxy", "proxy", "any"),
        Column(
            "noise", "noise", "any", words={line.noise: name_noise(line.noise) for line in lines}
        ),
        Column("worlds", "worlds", "one", help="seeds of the worlds; several: a mean over them"),
        Column("peak", "gold at peak", help="chosen on other data than it is read on"),
        Column("peak_kl", "KL at peak", digits=None, help="nats, as achieved"),
        Column("end", "gold at end", help="at the largest budget that every seed reached"),
        Column("end_kl", "KL at end", digits=None, help="nats, as achieved"),
        Column("fall", "fall", help="gold at the end less gold at the peak"),
        Column("verdict", "verdict"),
        Column("proxy_end", "proxy at end"),
        Column("seeds", "seeds", help="seeds measured / run"),
        Column("notes", "notes"),
    )
    return Sheet(
        name="methods",
        title="Gold at the peak and at the end of every method",
        columns=columns,
        rows=[_row(line, families) for line in lines],
        chooses="method",
        note="Peak: chosen on other data (other seeds, other half of the prompts) than it is read "
        "on; end: the largest budget that every seed reached. Means over all seeds. In brackets: "
        "95 % intervals over seeds and prompts; of several worlds across them, of two within them. "
        "KL: nats per response, as achieved. Gold and proxy in SDs of the initial policy.",
        first={
            "task": tasks[0] if tasks else "",
            "worlds": _most_methods([line for line in lines if line.task == tasks[0]]),
        },
    )


def _most_methods(lines: Sequence[Group]) -> str:
    """The worlds in which most methods can be compared; of equals, the largest set."""
    methods = {line.world_names: len(line.worlds) for line in lines}
    counts = Counter(worlds for worlds, _ in {(line.world_names, line.method) for line in lines})
    return max(sorted(methods), key=lambda worlds: (counts[worlds], methods[worlds]), default="")


def _row(line: Group, families: Mapping[str, str]) -> dict[str, Cell]:
    places = line.places
    notes = (*describe_gaps(line), *describe_basis(line))
    return {
        "method": line.method,
        "family": families.get(line.method, ""),
        "task": line.task,
        "proxy": line.proxy,
        "noise": line.noise,
        "worlds": line.world_names,
        "seeds": f"{len(line.seeds)}/{line.n_seeds}",
        "peak": _spread(places.peak),
        "peak_kl": places.peak.kl_nats if places.peak else None,
        "end": _spread(places.end),
        "end_kl": places.end.kl_nats if places.end else None,
        "fall": _interval(places.fall),
        "proxy_end": _interval(proxy_at_end(line)),
        "verdict": places.verdict,
        "notes": "; ".join(filter(None, notes)),
    }


def _spread(place: Place | None) -> Spread | None:
    return _interval(place.gold) if place else None


def _interval(score: Crossed | None) -> Spread | None:
    return Spread(score.mean, score.low, score.high) if score else None
