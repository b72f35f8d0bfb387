"""Records are broken in the order of time, by enough, by short methods that see no gold."""

from __future__ import annotations

from pathlib import Path

from overopt.leaderboard.ranking.records import find_records

from .drawn import alter, read, write_entry


def test_a_record_falls_to_what_is_shown_to_be_higher(tmp_path: Path) -> None:
    entries = (
        ("first", 0.3, "01", "none"),
        ("hardly", 0.301, "02", "none"),
        ("higher", 0.6, "03", "none"),
        ("lower", 0.4, "04", "none"),
        ("long", 0.9, "05", "none"),
        ("gold", 0.95, "06", "training"),
        ("stranger", 0.97, "07", "none"),
    )
    for name, height, day, use in entries:
        write_entry(tmp_path, name, height, family="pairs", uses_gold=use,
                    finished=f"2026-01-{day}T00:00:00+00:00")  # fmt: skip
    lines = {name: 50 for name, *_ in entries} | {"long": 101}
    del lines["stranger"]
    found = find_records(*read(tmp_path), lines)
    assert {one.at_kl_nats for one in found} == {2.0, 8.0}
    for kl in (2.0, 8.0):
        mine = [one for one in found if one.at_kl_nats == kl]
        assert [one.entry for one in mine] == ["first", "higher"]
        assert mine[0].p is None
        assert mine[1].p is not None and mine[1].p < 0.01


def test_a_method_and_its_proxy_hold_a_record_together(tmp_path: Path) -> None:
    write_entry(tmp_path, "rloo", 0.2, proxy="single", finished="2026-01-01T00:00:00+00:00")
    write_entry(tmp_path, "rloo", 0.9, proxy="uwo", finished="2026-01-02T00:00:00+00:00")
    found = find_records(*read(tmp_path), {"rloo": 70})
    assert [one.entry for one in found if one.at_kl_nats == 2.0] == [
        "rloo × single",
        "rloo × uwo",
    ]


def test_what_ran_at_other_settings_of_the_task_sets_no_record(tmp_path: Path) -> None:
    for day, (name, height) in enumerate((("a", 0.2), ("b", 0.4), ("c", 0.6), ("d", 0.9)), 1):
        folder = write_entry(tmp_path, name, height, family="pairs",
                             finished=f"2026-01-{day:02d}T00:00:00+00:00")  # fmt: skip
        alter(folder, task={"pairs": {"max_steps": 2 if name == "d" else 1}})
    found = find_records(*read(tmp_path), dict.fromkeys("abcd", 50))
    assert [one.entry for one in found if one.at_kl_nats == 2.0] == ["a", "b", "c"]
