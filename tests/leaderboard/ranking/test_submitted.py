"""Submissions stand beside results under their own names, and nothing of them is run."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from overopt.commands.arguments import resolve
from overopt.commands.leaderboard.build import rank_all
from overopt.commands.leaderboard.command import reader_of
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.leaderboard.ranking.shown import Leaderboard
from overopt.leaderboard.verification.status import Challenge, Trial, record

from .drawn import write_entry

METHOD = "raise SystemExit('a submission was run')\n" + "pass\n" * 40


def submit(root: Path, results: Path, entry: str, method: str, height: float) -> Path:
    """A submission of one method's drawn run."""
    made = write_entry(results, method, height, finished="")
    place = root / entry
    place.mkdir(parents=True)
    files = {"points.csv": (made / "points.csv").read_bytes(), "mine.py": METHOD.encode()}
    for path in sorted(made.iterdir(), reverse=True):
        path.unlink()
    made.rmdir()
    made.parent.rmdir()
    refs = {}
    for name, content in files.items():
        (place / name).write_bytes(content)
        digest = sha256(content).hexdigest()
        refs[name] = {"path": name, "sha256": digest, "bytes": len(content)}
    spec = resolve(Request(method=["dpo"], task="tabular", kl_grid=["task"])).to_json()
    spec["methods"][0] |= {"name": method, "family": "rollout"}
    spec["tuned"] = True
    cell = {
        "world": 0, "seed": 0, "proxy": "single", "noise": "0", "proxy_start": "scratch",
        "proxy_width": 8, "comparisons": 64, "gold_mean": 0.0, "gold_sd": 1.0, "proxy_offset": 0.0,
        "page": None, "policies": [],
    }  # fmt: skip
    document = {
        "format": 1, "entry": entry, "summary": "An idea.", "who": "Somebody",
        "contact": "https://example.org/me", "license": "Apache-2.0",
        "method": {"kind": "file", "file": refs["mine.py"]},
        "environment": {"python": "3.11.7", "overopt": "0.1.0", "platform": "Linux",
                        "packages": {}},
        "runs": [{
            "role": "method", "spec": spec, "spec_sha256": "0" * 64, "commit": None, "dirty": False,
            "points": refs["points.csv"], "cells": [cell],
        }],
    }  # fmt: skip
    (place / "submission.json").write_text(json.dumps(document))
    return place


def ranked(results: Path, submissions: Path) -> Leaderboard:
    reader = reader_of(submissions.parent / "verification")
    return rank_all(results, submissions, reader, lambda what, done, of: None)


def test_an_entry_competes_under_its_own_name(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_entry(results, "rloo", 0.4)
    submit(tmp_path / "submissions", results, "better", "mine", 0.8)
    found = ranked(results, tmp_path / "submissions")
    (board,) = [one for one in found.boards if one.track == "online"]
    first = [row for row in board.rows if row["metric"] == "hypervolume"]
    assert [(row["entry"], row["rank_best"]) for row in first] == [("better", 1), ("rloo", 2)]
    assert first[0]["status"] == "claimed"
    assert [one.entry for one in found.records if one.at_kl_nats == 2.0] == [
        "rloo × single",
        "better × single",
    ]
    assert [one.lines for one in found.records if one.at_kl_nats == 2.0][1] == 41


def test_an_entry_takes_the_name_of_no_shipped_method(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_entry(results, "rloo", 0.4)
    submit(tmp_path / "submissions", results, "rloo", "mine", 0.8)
    found = ranked(results, tmp_path / "submissions")
    assert {row["entry"] for row in found.boards[0].rows} == {"rloo", "rloo (submitted)"}


def test_a_damaged_submission_is_named(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write_entry(results, "rloo", 0.4)
    place = submit(tmp_path / "submissions", results, "better", "mine", 0.8)
    (place / "points.csv").write_bytes((place / "points.csv").read_bytes()[:-1] + b"\r")
    with pytest.raises(UserError, match=r"points\.csv is not the file that submission\.json names"):
        ranked(results, tmp_path / "submissions")


def test_the_standing_lies_with_those_who_verify(tmp_path: Path) -> None:
    results, submissions = tmp_path / "results", tmp_path / "submissions"
    write_entry(results, "rloo", 0.4)
    place = submit(submissions, results, "better", "mine", 0.8)
    digest = sha256((place / "submission.json").read_bytes()).hexdigest()
    trial = Trial(kind="trial", tier="T3", failed=(), verdict="0" * 64, overopt="0.1.0")
    file = tmp_path / "verification" / "better.json"

    def shown() -> set[str]:
        rows = ranked(results, submissions).boards[0].rows
        return {row["status"] for row in rows if row["entry"] == "better"}

    record(file, "better", digest, trial)
    assert shown() == {"verified"}
    record(file, "better", digest, Challenge(kind="challenge", by="A", reason="No.", where=""))
    assert shown() == {"contested"}
    file.unlink()
    record(file, "better", "1" * 64, trial)  # of another version of the entry
    assert shown() == {"claimed"}
    record(file, "better", "1" * 64, Challenge(kind="challenge", by="A", reason="No.", where=""))
    assert shown() == {"contested"}  # until this one is verified
    (place / "status.json").write_bytes(file.read_bytes())
    with pytest.raises(UserError, match=r"status\.json is no part of the submission"):
        ranked(results, submissions)
