"""Tables and figure of best-of-n beyond the fitted n."""

from __future__ import annotations

import numpy as np
import pytest

from overopt.report.extrapolation.figure import draw_extrapolation
from overopt.report.extrapolation.tables import (
    Extrapolated,
    curve_frame,
    form_frame,
    name_settings,
    point_frame,
    show_forms,
    show_points,
)
from overopt.stats.pools.best_of_n import kl_bound
from overopt.stats.pools.extrapolation import BestOfN, extrapolate
from overopt.stats.pools.n_grids import fit_grid


def _group(label: str, members: int) -> Extrapolated:
    n_K = fit_grid(4096)
    kl_K = kl_bound(n_K)
    d_K = np.sqrt(kl_K)
    member_MK = np.array([d_K * (m + 1) for m in range(members)]) if members else np.empty((0, 0))
    curves = [
        BestOfN(n_K, kl_K, kl_K, d_K * (a - 0.3 * d_K), 0.01 * d_K, d_K, member_MK)
        for a in (0.9, 1.1)
    ]
    return Extrapolated(label, (0, 1), extrapolate(curves, 256))


GROUPS = [_group("tabular, world 0, uwo, width 8", 2), _group("tabular, world 0, uwo, width 16", 2)]


def test_settings_are_named_by_what_differs() -> None:
    assert name_settings(GROUPS) == ["width 8", "width 16"]
    assert name_settings(GROUPS[:1]) == ["tabular, world 0, uwo, width 8"]


def test_frames_hold_every_point_and_form() -> None:
    curves, forms = curve_frame(GROUPS), form_frame(GROUPS)
    assert len(curves) == 2 * 2 * len(fit_grid(4096))
    assert curves[curves["fitted"]]["n"].max() == 256 and not curves["fitted"].all()
    planted = forms[forms["form"] == "bon"]
    assert planted["a"].tolist() == pytest.approx([1.0, 1.0])
    assert planted["b"].tolist() == pytest.approx([0.3, 0.3])
    assert planted["rmse_beyond"].max() < 1e-9 < forms["rmse_beyond"].max()


def test_points_are_shown_where_there_are_members() -> None:
    points = point_frame(GROUPS)
    assert points["member"].tolist() == [0, 1, 0, 1]
    shown = show_points(GROUPS)
    assert shown is not None and len(shown.rows) == 2
    assert show_points([_group("one", 0)]) is None
    assert len(show_forms(GROUPS).rows) == 2 * 4


def test_a_panel_for_each_setting() -> None:
    drawing = draw_extrapolation(GROUPS)
    titles = [panel.get_title() for panel in drawing.figure.axes]
    assert titles[:2] == ["width 8", "width 16"]
