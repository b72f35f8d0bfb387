"""Which groups stand in which panel, what a panel says that it lacks, and the legend of signs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.lines import Line2D

from overopt.report.figures.kl_axis import Scale, label_together
from overopt.report.figures.panels import Block, Grid, Key, make_grid
from overopt.report.figures.style import INK, plain
from overopt.report.group import Group, compares_methods
from overopt.report.noise_labels import name_noise, noise_order


def start_grid(block: Block, cells: dict[Key, list[Group]], titles: dict[Key, str]) -> Grid:
    """The panels with a note on every one that lacks something."""
    return make_grid(block, titles, {key: describe_gaps(cells[key]) for key in block.keys})


def finish_grid(
    grid: Grid, cells: Mapping[Key, Sequence[Group]], scale: Scale, y_axis: str
) -> list[Group]:
    """Name the axes, once where all panels share their estimators, and return the groups shown."""
    label_together(
        {
            panel: {group.estimator for group in cells[key]} - {""}
            for key, panel in grid.axes.items()
        },
        scale,
    )
    grid.figure.supylabel(y_axis, fontsize=9)
    return [group for key in grid.axes for group in cells[key]]


def shown_in(cells: dict[Key, list[Group]]) -> set[Key]:
    """The panels that have something to show."""
    return {key for key, groups in cells.items() if groups}


def by_setting(groups: Sequence[Group]) -> tuple[dict[Key, list[Group]], dict[Key, str]]:
    """Panels in which what is to be compared meets: methods, or the proxies of a single method.

    Rows are proxies (or the one method), each with its worlds, since only curves of the same worlds
    can be compared; columns are noise levels. The panels' titles say which.
    """
    by_method = compares_methods(groups)

    def row_of(group: Group) -> str:
        named = group.proxy if by_method else group.method
        return f"{named}, {group.where}" if group.where else named

    cells: dict[Key, list[Group]] = {}
    titles: dict[Key, str] = {}
    for row in unique(row_of(group) for group in groups):
        for noise in noise_labels(groups):
            cells[row, noise] = [g for g in groups if row_of(g) == row and g.noise == noise]
            titles[row, noise] = f"{plain(row, 40)} · {name_noise(noise)}"
    return cells, titles


def by_method_and_proxy(
    groups: Sequence[Group], noises: Sequence[str]
) -> tuple[dict[Key, list[Group]], dict[Key, str]]:
    """Panels of methods by proxies."""
    cells: dict[Key, list[Group]] = {}
    titles: dict[Key, str] = {}
    for method in unique(group.titled for group in groups):
        for proxy in unique(group.proxy for group in groups):
            cells[method, proxy] = [
                g for g in groups if (g.titled, g.proxy) == (method, proxy) and g.noise in noises
            ]
            titles[method, proxy] = f"{plain(method)} · {plain(proxy)}"
    return cells, titles


def rows_and_columns(cells: dict[Key, list[Group]]) -> tuple[list[str], list[str]]:
    return unique(row for row, _ in cells), unique(column for _, column in cells)


def unique(labels: Iterator[str]) -> list[str]:
    return sorted(set(labels))


def noise_labels(groups: Sequence[Group]) -> list[str]:
    return sorted({group.noise for group in groups}, key=noise_order)


def describe_gaps(groups: Sequence[Group]) -> str:
    """What a panel does not show: failed cells or seeds too few.

    Groups are named by whatever tells them apart within the panel.
    """
    varying = [
        name
        for name in ("method", "proxy", "noise")
        if len({str(getattr(group, name)) for group in groups}) > 1
    ]
    notes, few = [], []
    for group in groups:
        name = " ".join(plain(str(getattr(group, part)), 20) for part in varying)
        if group.failures:
            seeds = ", ".join(str(failure.seed) for failure in group.failures)
            words = f"seed{'s' if len(group.failures) > 1 else ''} {seeds} failed"
            notes.append(f"{name}: {words}" if name else words)
        if group.exploratory:
            few.append(name)
    if few and len(few) == len(groups):
        low = min(len(group.seeds) for group in groups)
        notes.append(f"exploratory: {low} seed{'' if low == 1 else 's'}")
    elif few:
        notes.append(f"exploratory: {', '.join(few)}")
    text = "; ".join(notes)
    return text if len(text) <= 58 else f"{text[:57]}…"


def sign_keys(groups: Sequence[Group], rug: bool = True) -> list[Artist]:
    """Legend entries of peaks, ends and the signs for missing things, only those that occur.

    Without a ``rug``, missed budgets are not drawn.
    """
    keys: list[Artist] = []
    for there, sign, size, label in (
        (any(group.places.peak for group in groups), "*", 9.0, "peak"),
        (any(group.places.end for group in groups), "|", 11.0, "end: last budget of all seeds"),
    ):
        if there:
            keys.append(Line2D([], [], color=INK, marker=sign, markersize=size, label=label,
                               linestyle="none"))  # fmt: skip
    if any(not group.is_whole(mean) for group in groups for mean in group.means["gold"]):
        keys.append(
            Line2D([], [], color=INK, marker="o", markerfacecolor="none", markersize=4,
                   linestyle=":", linewidth=1.2, label="mean over fewer seeds than run, n of all")
        )  # fmt: skip
    parts = (
        []
        if not rug
        else [(missed.n_seeds >= group.n_seeds) for group in groups for missed in group.unreached]
    )
    for every, sign, size, label in (
        (True, "x", 3.6, "budget reached by no seed"),
        (False, "4", 5.5, "budget missed by some seeds"),
    ):
        if every in parts:
            keys.append(Line2D([], [], color=INK, marker=sign, markersize=size,
                               markeredgewidth=0.9, linestyle="none", label=label))  # fmt: skip
    return keys
