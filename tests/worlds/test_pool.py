"""The world of a table: what is read of it, what is refused, and how texts become tokens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from overopt.catalog import toml_files
from overopt.errors import UserError
from overopt.spec.hub import TaskWorldSpec
from overopt.spec.pool import PoolSpec
from overopt.worlds.contract import Tokenized, build, render
from overopt.worlds.pool.responses import read_responses
from overopt.worlds.pool.tokenizer import train_tokenizer
from overopt.worlds.pool.world import PoolWorld

from . import made_up_pool

EXAMPLE = Path(__file__).parents[2] / "tasks" / "pool-example.jsonl"
ROW = {"prompt": "p", "response": "r", "gold": 1.0, "source": "a"}


def table(path: Path, rows: Iterable[dict[str, object]]) -> PoolSpec:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return PoolSpec(file=str(path), vocabulary=300, prompt_tokens=32, response_tokens=48)


def world(spec: PoolSpec, train: int, heldout: int, seed: int = 0) -> PoolWorld:
    made = build(
        TaskWorldSpec(
            kind="pool", seed=seed, train_prompts=train, heldout_prompts=heldout, pool=spec
        )
    )
    assert isinstance(made, PoolWorld)
    return made


def test_the_shipped_table_is_the_one_that_is_written_here() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == made_up_pool.text()


def test_responses_are_gathered_by_prompt_whatever_their_order(tmp_path: Path) -> None:
    rows = [{**ROW, "prompt": p, "source": s, "response": f"{p}{s}", "gold": g}
            for p, s, g in (("q", "b", 1.0), ("p", "b", None), ("p", "a", 2.0), ("q", "a", 3.0),
                            ("p", "c", 4.0), ("lone", "a", 5.0))]  # fmt: skip
    found = read_responses(table(tmp_path / "t.jsonl", rows))
    assert [one.prompt for one in found] == ["p", "q"]
    assert [one.texts for one in found] == [("pa", "pc"), ("qa", "qb")]
    assert [one.gold_R.tolist() for one in found] == [[2.0, 4.0], [3.0, 1.0]]
    again = read_responses(table(tmp_path / "u.jsonl", rows[::-1]))
    assert [one.texts for one in again] == [one.texts for one in found]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{**ROW, "response": 3}], "holds no text in data row 1"),
        ([ROW, ROW], "data row 2 is a second response of source 'a' to one prompt"),
        ([{**ROW, "gold": "good"}], "holds 'good' in data row 1"),
        ([{"prompt": "p", "response": "r", "gold": 1}], "no column 'source'.*world.pool.source"),
        ([{**ROW, "prompt": ""}], "has no id in data row 1"),
        ([ROW], "no prompt has two responses with a gold score"),
    ],
)
def test_a_table_with_a_mistake_is_refused(
    rows: list[dict[str, object]], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        read_responses(table(tmp_path / "t.jsonl", rows))


def test_the_same_texts_give_the_same_tokenizer_and_all_text_comes_back() -> None:
    texts = [str(row["response"]) for row in made_up_pool.rows()]
    first, second = train_tokenizer(texts, 400), train_tokenizer(iter(texts), 400)
    assert first.to_str() == second.to_str()
    assert first.get_vocab_size() == 400
    odd = "Ünder \n\n the 漢字, 'so to speak'"
    assert first.decode(first.encode(odd).ids) == odd


def test_tokens_are_those_of_a_generated_world_and_say_the_text(tmp_path: Path) -> None:
    pool = world(PoolSpec(file=str(EXAMPLE), vocabulary=400, prompt_tokens=32,
                          response_tokens=24), 40, 20)  # fmt: skip
    assert isinstance(pool, Tokenized)
    assert pool.train_prompts.rows() == 40 and pool.heldout_prompts.rows() == 20
    assert {*pool.train_prompts.ids_NT[:, 0]} == {1}
    assert pool.vocabulary[:4] == ("<pad>", "<bos>", "<sep>", "<eos>")
    (prompt,) = render(pool, pool.heldout_prompts.take(np.array([0])))
    assert pool.conversations(pool.heldout_prompts)[0][0].content == prompt
    longest = max(int(one.length_N.max()) for one in pool.heldout_responses)
    assert longest == pool.response_tokens_max == 24
    saved = AutoTokenizer.from_pretrained(str(pool.tokenizer_folder))
    whole = next(one for one in pool.heldout_responses if one.length_N[0] < 24)
    ids = whole.ids_NT[0][: whole.length_N[0]].tolist()
    assert saved.decode(ids, skip_special_tokens=True) == render(pool, whole)[0]
    assert saved.eos_token_id == 3


def test_gold_is_that_of_the_row_and_the_mean_of_rows_that_are_cut_to_the_same(
    tmp_path: Path,
) -> None:
    rows = [
        {"prompt": f"prompt {p}", "source": s, "response": text, "gold": gold + p}
        for p in range(6)
        for s, text, gold in (("a", "same start, one", 1.0), ("b", "same start, two", 2.0),
                              ("c", "no", 6.0))
    ]  # fmt: skip
    long = world(table(tmp_path / "t.jsonl", rows), 4, 2)
    for at, text in enumerate(render(long, long.heldout_prompts)):
        given, number = long.heldout_responses[at], int(text.split()[1])
        prompts = long.heldout_prompts.take(np.full(given.rows(), at))
        assert long.gold(prompts, given).tolist() == [1.0 + number, 2.0 + number, 6.0 + number]
    spec = table(tmp_path / "u.jsonl", rows).model_copy(update={"response_tokens": 3})
    short = world(spec, 4, 2)
    given, prompts = short.heldout_responses[0], short.heldout_prompts.take(np.zeros(3, dtype=int))
    number = int(render(short, prompts)[0].split()[1])
    assert (short.gold(prompts, given) - number).tolist() == [1.5, 1.5, 6.0]
    assert short.heldout_gold[0].tolist() == short.gold(prompts, given).tolist()
    with pytest.raises(ValueError, match="none of the pool's"):
        short.gold(prompts, given.take(np.array([0, 1, 1]))._replace(
            length_N=np.array([3, 3, 2], dtype=np.int32)))  # fmt: skip


def test_prompts_that_cannot_be_told_apart_and_too_few_are_refused(tmp_path: Path) -> None:
    rows = [{**ROW, "prompt": f"{'x' * 60} {p}", "source": s} for p in range(4) for s in "ab"]
    spec = table(tmp_path / "t.jsonl", rows)
    with pytest.raises(UserError, match="ask for fewer"):
        world(spec, 4, 1)
    with pytest.raises(UserError, match="cannot be told apart"):
        world(spec.model_copy(update={"prompt_tokens": 4}), 2, 2)


def test_another_seed_holds_out_other_prompts() -> None:
    spec = toml_files.load_task("pool").world.pool
    assert spec is not None
    one, same, other = (world(spec, 40, 20, seed).heldout_prompts for seed in (0, 0, 1))
    assert np.array_equal(one.ids_NT, same.ids_NT)
    assert render(world(spec, 40, 20), one) != render(world(spec, 40, 20, 1), other)


def test_kind_and_table_go_together() -> None:
    for given in (
        {"kind": "pool", "train_prompts": 4, "heldout_prompts": 2},
        {"kind": "tabular", "train_prompts": 4, "heldout_prompts": 2, "pool": {"file": "x"}},
    ):
        with pytest.raises(ValueError, match="has a table"):
            TaskWorldSpec.model_validate(given)
