"""Tables of scores, training logs, folders of models and tables of prompts, spoiled at random."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hub.folders import write_tokenizer
from overopt.errors import UserError
from overopt.own_runs.from_python import measure
from overopt.own_scores.output import write_scores
from overopt.own_scores.scores_file import read_scores
from overopt.spec.hub import DataOrigin
from overopt.spec.origins import ReaderOrigin
from overopt.stats.scored import analyze
from overopt.worlds.hub.conversations import Turn
from overopt.worlds.hub.data import read_examples
from overopt.worlds.hub.folders import good_output, identifiers, open_model
from overopt.worlds.hub.text import FolderTokenizer

from . import spoiling
from .cases import Cases

TEMPLATE = (
    "{% for m in messages %}<{{ m['role'] }}>{{ m.content | trim }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def scores_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    gold = rng.standard_normal((4, 6))
    return pd.DataFrame(
        {
            "prompt_id": np.repeat(["a", "b", "c", "d"], 6),
            "sample_id": np.tile(np.arange(6), 4),
            "gold": gold.ravel(),
            "proxy": (gold + rng.standard_normal((4, 6))).ravel(),
            "response": "some words",
        }
    )


def write(path: Path, table: pd.DataFrame) -> Callable[[random.Random], None]:
    """Write the table, and return what writes it again with some damage."""
    if path.suffix == ".parquet":
        table.to_parquet(path)
        whole = path.read_bytes()
        return lambda rng: void(path.write_bytes(spoiling.spoil_bytes(whole, rng)))
    if path.suffix == ".csv":
        text = table.to_csv(index=False)
        return lambda rng: void(path.write_text(spoiling.spoil_csv(text, rng)))
    rows = table.to_dict("records")
    if path.suffix == ".jsonl":
        return lambda rng: void(
            path.write_text("\n".join(json.dumps(one) for one in listed(spoiling.spoil(rows, rng))))
        )
    return lambda rng: void(path.write_text(json.dumps(spoiling.spoil({"log_history": rows}, rng))))


def void(value: object) -> None:
    """Nothing; a lambda that writes returns a count."""


def listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def test_tables_of_scores(tmp_path: Path) -> None:
    rng, cases = random.Random(10), Cases("tables of scores", 200)
    files = [tmp_path / f"scores{suffix}" for suffix in (".csv", ".jsonl", ".parquet")]
    spoil = {file: write(file, scores_table()) for file in files}
    for number in cases:
        file = files[number % 3]
        spoil[file](rng)
        cases.try_out(partial(_scores, file, tmp_path / "out"))
    cases.check(least=0.1)


def _scores(file: Path, out: Path) -> None:
    write_scores(out, analyze(read_scores(file).table))


def test_training_logs(tmp_path: Path) -> None:
    rng, cases = random.Random(11), Cases("training logs", 100)
    steps = np.arange(0, 120, 10)
    table = pd.DataFrame(
        {"step": steps, "kl": 0.1 * steps, "reward": 0.02 * steps, "gold": np.sin(steps / 40)}
    )
    files = [tmp_path / name for name in ("log.csv", "log.jsonl", "trainer_state.json")]
    spoil = {file: write(file, table) for file in files}
    for number in cases:
        file = files[number % 3]
        spoil[file](rng)
        # figures take their time
        cases.try_out(partial(measure, file, out=tmp_path / "out" if number % 20 == 0 else None))
    cases.check(least=0.05)


def model_folder(folder: Path) -> dict[str, bytes]:
    """A folder of a model whose one weight is a header's; the bytes of its files by name."""
    write_tokenizer(folder, "llama", TEMPLATE)
    config = {
        "architectures": ["LlamaForSequenceClassification"],
        "id2label": {"0": "bad", "1": "good"},
        "max_position_embeddings": 64,
        "eos_token_id": [1, 2],
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 1}))
    index = {"weight_map": {"a": "a.safetensors", "b": "a.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    header = json.dumps({"a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(16)
    (folder / "a.safetensors").write_bytes(weights)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def open_all(folder: Path) -> None:
    """What a run reads of a folder before it loads weights."""
    origin = ReaderOrigin(path=str(folder), label="good")
    found = open_model(origin, "gold", "classifier")
    good_output(found, origin)
    identifiers(found.config.get("eos_token_id"))
    identifiers(found.generation.get("eos_token_id"))
    assert found.context_tokens is None or found.context_tokens > 0
    tokenizer = FolderTokenizer(folder, "gold")
    assert tokenizer.special_id("eos_token") is None or tokenizer.vocabulary
    ids = tokenizer.encode(["a good book"], True)
    tokenizer.decode(ids)
    assert tokenizer.opening is not None and tokenizer.special_ids is not None
    tokenizer.render_chat([Turn("user", "a book"), Turn("assistant", "yes")], True)


def test_folders_of_models(tmp_path: Path) -> None:
    rng, cases = random.Random(12), Cases("folders of models", 150)
    folder = tmp_path / "model"
    whole = model_folder(folder)
    open_all(folder)
    names = [*whole, *(name for name in whole if name != "tokenizer.json")]
    for _ in cases:
        name = rng.choice(names)
        path, content = folder / name, whole[name]
        if name.endswith(".json") and rng.random() < 0.7:
            path.write_text(json.dumps(spoiling.spoil(json.loads(content), rng)))
        elif name.endswith(".jinja") and rng.random() < 0.7:
            spoiled = spoiling.spoil_code(content.decode(), rng)
            path.write_text(spoiled, encoding="utf-8", errors="surrogatepass")
        else:
            path.write_bytes(spoiling.spoil_bytes(content, rng))
        cases.try_out(partial(open_all, folder))
        path.write_bytes(content)
    cases.check(least=0.2)


@pytest.mark.parametrize("layout", ["plain", "messages"])
def test_tables_of_prompts(layout: str, tmp_path: Path) -> None:
    rng, cases = random.Random(13), Cases(f"tables of prompts, {layout}", 100)
    said = [{"role": "user", "content": "a book"}, {"role": "assistant", "content": "yes"}]
    value: object = said if layout == "messages" else "a book"
    table = pd.DataFrame({"chosen": [value] * 4, "rejected": [value] * 4, "prompt": ["x"] * 4})
    prompt = None if layout == "messages" else "prompt"
    files = [tmp_path / f"table{suffix}" for suffix in (".jsonl", ".parquet")]
    spoil = {file: write(file, table) for file in files}
    for number in cases:
        file = files[number % 2]
        spoil[file](rng)
        origin = DataOrigin.model_validate(
            {
                "path": str(file),
                "prompt": prompt,
                "chosen": "chosen",
                "rejected": "rejected",
                "layout": layout,
            }
        )
        cases.try_out(partial(read_examples, origin, "prompts"))
    cases.check(least=0.05)


def test_a_tokenizer_that_cannot_read_a_text_is_told(tmp_path: Path) -> None:
    """Its template names a token that its table lacks, over which the library panics."""
    folder = tmp_path / "model"
    model_folder(folder)
    document = json.loads((folder / "tokenizer.json").read_text())
    document["post_processor"]["special_tokens"] = {}
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match=r"tokenizer\.json (cannot read a text|is no readable)"):
        FolderTokenizer(folder, "gold").encode(["a"], True)


def test_an_id_out_of_all_proportion_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    model_folder(folder)
    document = json.loads((folder / "tokenizer.json").read_text())
    document["model"]["vocab"]["far"] = 4_000_000_000
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="a token of id 4000000000; ids up to 10,000,000"):
        assert FolderTokenizer(folder, "gold").vocabulary
