import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import overopt
from overopt.__main__ import main
from overopt.errors import UserError

STEP_K = np.arange(0, 401, 20)


def write_seeds(folder: Path, count: int, gold: bool = True, sds: bool = True) -> list[Path]:
    """Logs whose gold is d (1.2 - .2 d) at d = 0 .. sqrt(40), with a little noise."""
    paths = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        kl_K = 40.0 * (STEP_K / 400) ** 1.3
        d_K = np.sqrt(kl_K)
        gold_K = d_K * (1.2 - 0.2 * d_K) + rng.normal(0, 0.05, len(d_K)) * (d_K > 0)
        proxy_K = d_K * (1.1 - 0.05 * d_K)
        path = folder / f"seed{seed}.jsonl"
        with path.open("w") as stream:
            for row, step in enumerate(STEP_K.tolist()):
                record = {"step": step, "kl_nats": kl_K[row], "kl_estimator": "rb"}
                record |= {"proxy": proxy_K[row]}
                record |= {"gold": gold_K[row]} if gold else {}
                record |= {"gold_sd": 1.0, "proxy_sd": 1.0} if sds else {}
                stream.write(json.dumps(record) + "\n")
        paths.append(path)
    return paths


def bench(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """Run the command as typed and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["bench", "measure", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_five_seeds_rise_and_fall(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    assert bench(monkeypatch, *write_seeds(tmp_path, 5), "--out", out) == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == f"Open {out / 'measured.png'}"
    said = re.sub(r"\s+", " ", printed)
    assert re.search(r"Gold rises to 1\.\d+ \[.*\] at step 1[24]0 .* this run overoptimizes", said)
    assert "KL: Rao-Blackwellized, nats per response" in said
    assert "exploratory" not in said
    with (out / "curve.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 5 * len(STEP_K)
    assert float(rows[-1]["kl"]) == 40.0 and rows[0]["kl_estimator"] == "rb"
    fits = json.loads((out / "fits.json").read_text())
    assert fits["fits"]["bon"]["a"]["estimate"] == pytest.approx(1.2, abs=0.03)
    assert fits["fits"]["bon"]["peak_d"]["estimate"] == pytest.approx(3.0, abs=0.05)
    assert fits["turn"]["fall"]["high"] < 0
    assert fits["gamma"]["form"] == "bon"
    names = sorted(path.name for path in out.iterdir())
    assert names == ["curve.csv", "fits.json", "measured.pdf", "measured.png"]


def test_one_seed_says_what_it_cannot_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert bench(monkeypatch, *write_seeds(tmp_path, 1, sds=False)) == 0
    said = capsys.readouterr().out
    assert "has no interval" in said and "exploratory: 1 run only." in said
    assert "give --proxy-sd and --gold-sd" in said
    assert "this run overoptimizes" not in said


def test_without_gold_it_says_so_and_names_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert bench(monkeypatch, *write_seeds(tmp_path, 1, gold=False)) == 0
    said = capsys.readouterr().out
    assert "cannot be judged from the proxy alone" in said
    # (step/400)^.65 = j/7 at steps 0, 20.1, 58, 109, 169, 238, 316, 400; the nearest in d
    assert "steps 0, 20, 60, 100, 160, 240, 320, 400." in said
    assert "bench measure --policy" in said


def test_names_from_outside_steer_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "[red]a.jsonl"
    rows = [{"step": i, "kl_nats": i, "[bold]p\x1b[2J$x_1$": i * 0.5} for i in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = (path, "--proxy", "[bold]p\x1b[2J$x_1$", "--out", tmp_path / "out")
    assert bench(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert "[red]a.jsonl" in said and "[bold]p\\x1b[2J$x_1$" in said


def test_mistakes_are_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (log,) = write_seeds(tmp_path, 1)
    steering = tmp_path / "steering.jsonl"
    steering.write_text('{"step": 1, "\\u001b[2J": 1}\n')
    other = tmp_path / "other.jsonl"
    other.write_text('{"step": 1, "objective/kl": 1, "reward": 1}\n')
    for words, says in (
        ((), "Which run?"),
        ((tmp_path / "none.csv",), "there is no such file"),
        ((log, log), "given twice"),
        ((steering,), "known as the kl"),
        ((log, other), "seeds of one training"),
        ((log, "--gold-sd", "-1"), "above 0"),
        ((log, "--kl", "klnats"), "did you mean 'kl_nats'"),
    ):
        assert bench(monkeypatch, *words, "--out", tmp_path / "out") == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.startswith("error: ")
        assert says in said.err and said.err.count("\n") == 1
        assert "\x1b" not in said.err
    assert not (tmp_path / "out").exists()


def test_a_value_below_zero_in_one_seed_tells_the_kl_of_all(tmp_path: Path) -> None:
    for seed, first in enumerate((0.0, -0.01)):
        rows = [{"step": i, "kl": first or i, "reward": i} for i in range(1)]
        rows += [{"step": i, "kl": i, "reward": i} for i in range(1, 4)]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"{seed}.jsonl").write_text(text)
    measured = overopt.measure(tmp_path / "0.jsonl", tmp_path / "1.jsonl")
    assert measured.kl.estimator == "k1"


def test_gold_that_begins_late_is_said_to(tmp_path: Path) -> None:
    rows = [{"step": i, "kl_nats": i, "proxy": i, **({"gold": i} if i else {})} for i in range(4)]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert any("gold begins away from KL 0" in note for note in overopt.measure(path).notes)


def test_from_python(tmp_path: Path) -> None:
    measured = overopt.measure(*write_seeds(tmp_path, 2), out=str(tmp_path / "out"))
    assert measured.report.turn is not None and measured.report.turn.over == "runs"
    assert measured.verdict.startswith("Gold rises to")
    assert [path.name for path in measured.written][:2] == ["curve.csv", "fits.json"]
    with pytest.raises(UserError, match="there is no log"):
        overopt.measure()


def test_reading_a_log_needs_no_torch(tmp_path: Path) -> None:
    (log,) = write_seeds(tmp_path, 1)
    program = (
        "import sys\n"
        f"sys.argv = ['bench', 'measure', {str(log)!r}, '--out', {str(tmp_path / 'out')!r}]\n"
        "from overopt.__main__ import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stopped:\n"
        "    assert not stopped.code, stopped.code\n"
        "heavy = {'torch', 'transformers', 'trl', 'statsmodels'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
