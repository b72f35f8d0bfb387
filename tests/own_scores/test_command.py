import csv
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit

from overopt.__main__ import main
from overopt.spec.world import WorldSpec
from overopt.stats.pools.listed import POOL_CAVEAT
from overopt.worlds.contract import build, render

GOLDEN = Path(__file__).parent / "golden_scores" / "pool.csv"


def bench(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> int:
    """Run the command as typed and return its exit code."""
    monkeypatch.setattr(sys, "argv", ["bench", "scores", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_tables_words_and_files(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "deep" / "out"
    assert bench(monkeypatch, GOLDEN, "--proxy", "proxy_coarse", "proxy_hacked", "--out", out) == 0
    said = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "best of n by proxy_coarse" in said
    assert "best of n by proxy_hacked" in said
    assert "best of n by proxy " not in said
    assert "dropped: 1 row without gold." in said
    assert "pools: 24 to 27 samples, so the curve ends at the median, 24." in said
    assert "share their proxy with another sample of the prompt" in said
    assert POOL_CAVEAT in said
    assert said.count("peak at d = ") + said.count("no peak in range") == 4
    with (out / "curve.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(row["n"]) for row in rows] == [*range(1, 25)] * 2
    assert list(json.loads((out / "fits.json").read_text())) == ["proxy_coarse", "proxy_hacked"]
    names = sorted(path.name for path in out.iterdir())
    assert names == ["curve.csv", "fits.json", "scores.pdf", "scores.png"]


def test_a_binary_proxy_is_placed_by_a_kl_that_knows_ties(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    proxy = np.tile(np.arange(80) % 10 < 3, 5).astype(int)
    gold = proxy + np.random.default_rng(0).normal(size=400)
    table = pd.DataFrame({"prompt_id": np.repeat(np.arange(5), 80), "gold": gold, "proxy": proxy})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert bench(monkeypatch, tmp_path / "t.csv", "--out", tmp_path) == 0
    said = capsys.readouterr().out
    assert re.search(r"^ *64 +1\.204 +3\.175 ", said, re.MULTILINE)  # log(1 / .3), not the bound
    assert "(d up to 1.10)" in said  # sqrt(1.204)
    curve = pd.read_csv(tmp_path / "curve.csv").set_index("n")
    assert curve["kl_nats"][64] == pytest.approx(np.log(1 / 0.3), abs=1e-8)
    assert curve["kl_bound_nats"][64] == pytest.approx(np.log(64) - 63 / 64)
    assert json.loads((tmp_path / "fits.json").read_text())["proxy"]["kl_estimator"] == (
        "pool estimate, ties known"
    )


def test_markup_and_control_letters_in_names_are_only_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table = pd.read_csv(GOLDEN).rename(columns={"gold": "[red]g", "proxy": "[/]p\x1b[2J$x_1$"})
    path = tmp_path / "t.parquet"
    table.to_parquet(path)
    words = (path, "--gold", "[red]g", "--proxy", "[/]p\x1b[2J$x_1$", "--out", tmp_path / "out")
    assert bench(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    assert "[red]g" in said
    assert "\x1b[2J" not in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "the file is empty"),
        ("prompt_id,gold,proxy\n", "no rows"),
        ("prompt_id,gold,proxy\na,1,2\na,1\n", "line 3: 2 cells where the header has 3"),
        ("prompt_id,gold,proxy\na,nan,2\na,,3\n", "'gold' holds no number at all"),
        ("prompt_id,gold,proxy\na,1,2\na,2,inf\n", "'proxy' is infinite in data row 2"),
        ("prompt_id,gold,proxy\na,1,2\na,good,3\n", "'gold' holds 'good' in data row 2"),
        ("prompt_id,sample_id,gold,proxy\na,0,1,2\na,0,1,2\n", "data row 2 repeats prompt_id 'a'"),
        ("id,gold,proxy\na,1,2\n", "no column 'prompt_id'"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: str,
    says: str,
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    assert bench(monkeypatch, path, "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {path}: ")
    assert says in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_all_one_hears_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "out").write_text("mine")
    assert bench(monkeypatch, GOLDEN, "--out", tmp_path / "out") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "is a file" in said.err
    assert (tmp_path / "out").read_text() == "mine"


def test_the_command_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        f"sys.argv = ['bench', 'scores', {str(GOLDEN)!r}, '--out', {str(tmp_path)!r}]\n"
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
    assert (tmp_path / "scores.png").is_file()


def bag_of_words(texts: list[str], size: int = 2**12) -> csr_matrix:
    """Which hashed words occur in each text."""
    rows: list[int] = []
    columns: list[int] = []
    for row, text in enumerate(texts):
        words = {zlib.crc32(word.encode()) % size for word in re.findall(r"\w+", text.lower())}
        rows += [row] * len(words)
        columns += words
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(texts), size))


def train_bradley_terry(
    words: csr_matrix, chosen_P: NDArray[np.int64], rejected_P: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Weights of a linear Bradley-Terry reward: minimize mean -log sigma(w (x_c - x_r)) + L2."""
    difference = words[chosen_P] - words[rejected_P]

    def loss(weight: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margin_P = difference @ weight
        value = np.logaddexp(0.0, -margin_P).sum() + 0.5 * weight @ weight
        return float(value), weight - difference.T @ expit(-margin_P)

    start = np.zeros(words.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 30})
    return np.asarray(found.x, np.float64)


def reviews(n_prompts: int, n_samples: int) -> pd.DataFrame:
    """Readable texts with their gold score."""
    world = build(WorldSpec(kind="reviews", seed=0, train_prompts=1, heldout_prompts=n_prompts))
    prompt_R = np.repeat(np.arange(n_prompts), n_samples)
    prompts = world.heldout_prompts.take(prompt_R)
    responses = world.references(prompts, np.random.default_rng(1))
    return pd.DataFrame(
        {
            "prompt_id": prompt_R,
            "response": render(world, responses),
            "gold": world.gold(prompts, responses),
        }
    )


def test_proxies_trained_on_text_gain_less_under_label_noise(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Linear reward models on half of the prompts, judged on the other half's responses."""
    table = reviews(n_prompts=120, n_samples=48)
    ids = sorted(table["prompt_id"].unique())
    table = table[table["prompt_id"].isin(ids[::2])].reset_index(drop=True)
    trained = table["prompt_id"].isin(ids[::4]).to_numpy(np.bool_)
    words = bag_of_words(table["response"].tolist())
    generator = np.random.default_rng(0)
    gold = table["gold"].to_numpy(np.float64)
    prompt = table["prompt_id"].to_numpy(dtype=object)
    first, second = generator.choice(np.flatnonzero(trained), (2, 250_000))
    usable = (prompt[first] == prompt[second]) & (gold[first] != gold[second])
    first, second = first[usable][:2000], second[usable][:2000]
    assert first.size == 2000
    better = np.where(gold[first] > gold[second], first, second)
    worse = np.where(gold[first] > gold[second], second, first)
    flipped = np.arange(better.size) < round(0.25 * better.size)
    held_out = table[~trained].copy()
    clean = train_bradley_terry(words, better, worse)
    noisy = train_bradley_terry(
        words, np.where(flipped, worse, better), np.where(flipped, better, worse)
    )
    held_out["proxy_clean"] = (words @ clean)[~trained]
    held_out["proxy_noisy"] = (words @ noisy)[~trained]
    held_out.to_parquet(tmp_path / "scored.parquet")
    assert bench(monkeypatch, tmp_path / "scored.parquet", "--out", tmp_path) == 0
    curve = pd.read_csv(tmp_path / "curve.csv").set_index(["proxy", "n"])["gold_mean"]
    fits = json.loads((tmp_path / "fits.json").read_text())
    accuracy = {
        name: fits[name]["ranking_accuracy"]["within_prompt"]["mean"]
        for name in ("proxy_clean", "proxy_noisy")
    }
    assert 0.5 < accuracy["proxy_noisy"] < accuracy["proxy_clean"] < 0.9
    for n in (4, 16, 32):
        assert curve["proxy_clean", n] > curve["proxy_noisy", n] > curve["proxy_noisy", 1]
