"""Which of the stored results are shown: methods, proxies and noise levels by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from overopt.errors import UserError
from overopt.report.stored.methods import families_of
from overopt.report.stored.run import Run
from overopt.spec.declare import OF_FAMILY


@dataclass(frozen=True)
class Selection:
    """Names of what is shown; an empty tuple shows everything.

    Attributes:
        methods: names of methods, as ``points.csv`` has them; ``family:pairs`` is those of a
            family.
        proxies: names of proxies.
        noises: labels of noise; ``0.250`` finds ``0.25``.
    """

    methods: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    noises: tuple[str, ...] = ()

    def apply(self, runs: Sequence[Run]) -> list[Run]:
        """The runs that hold anything of it, with only these points and samples.

        Raises:
            UserError: a name that no run holds, or names that no run holds together.
        """
        stored = {
            column: sorted({str(name) for run in runs for name in run.points[column].unique()})
            for column in ("method", "proxy", "noise")
        }
        methods = _of_families(self.methods, runs)
        wanted = {
            "method": _known("--method", methods, stored["method"]),
            "proxy": _known("--proxy", self.proxies, stored["proxy"]),
            "noise": _known("--noise", tuple(map(_noise, self.noises)), stored["noise"]),
        }
        kept = [one for one in (_only(run, wanted) for run in runs) if len(one.points)]
        if not kept:
            raise UserError(
                "No stored result has the method, proxy and noise asked for together; leave out "
                "one of --method, --proxy and --noise."
            )
        return kept


EVERYTHING = Selection()


def _only(run: Run, wanted: dict[str, set[str]]) -> Run:
    fits = run.points["method"].isin(wanted["method"])
    for column in ("proxy", "noise"):
        fits &= run.points[column].isin(wanted[column])
    if fits.all():
        return run
    excerpts = (
        one for one in run.excerpts if one.proxy in wanted["proxy"] and one.noise in wanted["noise"]
    )
    trajectory = run.trajectory
    for column, named in (("proxy", str), ("noise", _noise)):
        trajectory = trajectory[trajectory[column].astype(str).map(named).isin(wanted[column])]
    # rows keep their numbers in points.csv, by which prompts.parquet names them
    return replace(run, points=run.points[fits], excerpts=tuple(excerpts), trajectory=trajectory)


def _of_families(names: Sequence[str], runs: Sequence[Run]) -> tuple[str, ...]:
    """The names, with those of the stored methods that a family's name stands for."""
    families = dict(pair for run in runs for pair in families_of(run.record))
    found: list[str] = []
    for name in names:
        family = name.removeprefix(OF_FAMILY)
        members = [one for one in sorted(families) if families[one] == family]
        if name == family:
            members = [name]
        elif not members:
            held = ", ".join(sorted({*families.values()})) or "none is known"
            raise UserError(f"--method {name}: no run holds a method of it; there are: {held}.")
        found += members
    return tuple(dict.fromkeys(found))


def _known(option: str, names: Sequence[str], stored: Sequence[str]) -> set[str]:
    for name in names:
        if name not in stored:
            raise UserError(
                f"{option} {name}: no run holds it; there {'is' if len(stored) == 1 else 'are'}: "
                f"{', '.join(stored)}."
            )
    return set(names or stored)


def _noise(label: str) -> str:
    """A label as it is stored: numbers without trailing zeros."""
    kind, colon, amount = label.rpartition(":")
    try:
        return f"{kind}{colon}{float(amount):g}"
    except ValueError:
        return label
