"""Folders and tables that lie: each ends in one sentence, and nothing outside of them is read."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest

from hostile.spoiling import spoil
from overopt.errors import UserError
from overopt.spec.hub import DataOrigin
from overopt.spec.origins import ModelOrigin, ReaderOrigin
from overopt.worlds.hub.conversations import Turn
from overopt.worlds.hub.data import read_examples
from overopt.worlds.hub.folders import good_output, open_model
from overopt.worlds.hub.text import FolderTokenizer
from overopt.worlds.hub.time_limit import OutOfTimeError, time_limit

from . import folders

USER = [Turn("user", "hello")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.write_folder(
        tmp_path_factory.mktemp("hostile") / "model", "llama", classifier=True, template="plain"
    )


def copy(whole: Path, folder: Path, **changed: object) -> Path:
    """The folder with some documents, named without their ending, replaced."""
    folder.mkdir(exist_ok=True)
    for path in whole.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    for name, content in changed.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    return folder


def opened(folder: Path) -> int:
    """All that is read of a classifier's folder before anything is loaded."""
    origin = ReaderOrigin(path=str(folder), label="1")
    found = open_model(origin, "gold", "classifier")
    tokenizer = FolderTokenizer(folder, "gold")
    tokenizer.render_chat(USER, True)
    tokenizer.decode(tokenizer.encode(["hello"], True))
    return good_output(found, origin)


def config(whole: Path, **changed: object) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((whole / "config.json").read_text())
    return {**document, **changed}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"architectures": "LlamaForSequenceClassification"}, "architectures in config.json is no"),
        ({"architectures": [1]}, "architectures in config.json is no list of names"),
        ({"id2label": []}, "id2label in config.json does not name the outputs"),
        ({"id2label": {"a": "bad"}}, "id2label in config.json does not name the outputs"),
        ({"id2label": {"0": "bad", "7": "good"}}, "id2label in config.json does not name the out"),
        ({"id2label": {"9" * 5000: "x"}}, "id2label in config.json does not name the outputs"),
    ],
)
def test_a_configuration_of_other_types(
    changed: dict[str, object], said: str, whole: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        opened(copy(whole, tmp_path / "model", config=config(whole, **changed)))


def test_names_of_outputs_may_be_left_out(whole: Path, tmp_path: Path) -> None:
    assert opened(copy(whole, tmp_path / "model", config=config(whole, id2label=None))) == 1


@pytest.mark.parametrize("text", ["[" * 400 + "]" * 400, '{"a": ' + "9" * 5000 + "}", "[]", "\x00"])
def test_documents_that_are_no_object(text: str, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json (cannot be read as JSON|holds no JSON obj)"):
        opened(copy(whole, tmp_path / "model", config=text))


@pytest.mark.parametrize(
    "name", ["../secret.safetensors", "/etc/passwd", "a/b.safetensors", "..", "a\\b", "a\x00b"]
)
def test_weight_files_lie_in_the_folder(name: str, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.safetensors").write_bytes(b"x")
    index = {"weight_map": {"score.weight": name}}
    folder = copy(whole, tmp_path / "model", **{"model.safetensors.index": index})
    with pytest.raises(UserError, match=r"names the weight file .* which is not in the folder"):
        opened(folder)


@pytest.mark.parametrize("index", [{}, {"weight_map": []}, {"weight_map": {"a": 1}}, []])
def test_an_index_without_files(index: object, whole: Path, tmp_path: Path) -> None:
    folder = copy(whole, tmp_path / "model", **{"model.safetensors.index": index})
    with pytest.raises(UserError, match=r"names no weight files|holds no JSON object"):
        opened(folder)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{",
        b'{"a": 1}',
        b'{"a": {"shape": ["x"], "data_offsets": [0, 0]}}',
        b'{"a": {"shape": [-1], "data_offsets": [0, 0]}}',
        b'{"a": {"shape": [1], "data_offsets": [0]}}',
        b'{"a": {"shape": [true], "data_offsets": [0, 0]}}',
        b"[" * 100_000,
    ],
)
def test_headers_of_weights(header: bytes, whole: Path, tmp_path: Path) -> None:
    folder = copy(whole, tmp_path / "model")
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(UserError, match=r"model\.safetensors is damaged or cut short"):
        opened(folder)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ messages[9].content.lower() }}", "has no element 9"),
        ("{{ 'x' * 10 ** 12 }}", "fails"),
        ("{% for i in range(10 ** 9) %}{% endfor %}", "range"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "no loader"),
        ("{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}", "recursion"),
        ("{% if %}", "Expected an expression"),
        ("{{" + "(" * 5000, "fails"),
    ],
)
def test_chat_templates(template: str, said: str, whole: Path, tmp_path: Path) -> None:
    folder = copy(whole, tmp_path / "model")
    (folder / "chat_template.jinja").write_text(template)
    with pytest.raises(UserError, match=f"its chat template fails .*{said}|{said}"):
        opened(folder)


def test_a_template_without_an_end_is_ended(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overopt.worlds.hub.text._TEMPLATE_S", 0.2)
    folder = copy(whole, tmp_path / "model")
    loops = "".join(f"{{% for i{n} in range(90000) %}}" for n in range(4))
    (folder / "chat_template.jinja").write_text(loops + "{% endfor %}" * 4)
    with pytest.raises(UserError, match=r"it takes longer than 0\.2 s for one prompt"):
        opened(folder)


def test_a_time_limit_leaves_what_is_quick_alone() -> None:
    with time_limit(30.0):
        done = sum(range(1000))
    assert done == 499_500
    with pytest.raises(OutOfTimeError), time_limit(0.01):
        while True:
            done += 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": [{"role": "tool", "content": "x"}]}, r"row 1: a message has a role \(user, "),
        ({"prompt": [{"role": "user"}]}, "row 1: a message has a role"),
        ({"prompt": [{"role": "user", "content": None}]}, "row 1: a message has a role"),
        ({"prompt": ["hello"]}, "row 1: a message has a role"),
        ({"prompt": [[]]}, "row 1: a message has a role"),
        ({"other": "\x1b[2J"}, r"has no column 'prompt'; its columns are other"),
    ],
)
def test_messages_of_other_shapes(row: dict[str, object], said: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row) + "\n")
    with pytest.raises(UserError, match=said):
        read_examples(DataOrigin(path=str(file), prompt="prompt", layout="messages"), "data")


@pytest.mark.parametrize("pattern", ["**x", "../*", "a/../../*", "/etc/*", "", "[", "\x00"])
def test_patterns_of_files_stay_in_the_folder(pattern: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "rows.jsonl").write_text('{"prompt": "a secret"}\n')
    origin = DataOrigin(path=str(tmp_path / "data"), files=pattern, prompt="prompt")
    with pytest.raises(UserError, match=r"is no pattern of files|no parquet, jsonl or json file"):
        read_examples(origin, "data")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", b"[" * 100_000),
        ("rows.jsonl", b'{"prompt": ' + b"9" * 5000 + b"}"),
        ("rows.jsonl", b"\xff\xfe"),
        ("rows.jsonl.gz", b"\x1f\x8b\x08\x00" + b"\x00" * 30),
        ("rows.json", b"3"),
        ("rows.json", b'["a"]'),
        ("rows.parquet", b"PAR1" + b"\x00" * 50 + b"PAR1"),
    ],
)
def test_tables_that_are_none(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read"):
        read_examples(DataOrigin(path=str(tmp_path / name), prompt="prompt"), "data")


DOCUMENTS = ("config", "tokenizer_config", "special_tokens_map", "tokenizer")


def cases(count: int, seed: int, whole: Path, folder: Path) -> int:
    """How many of so many spoiled folders are refused, each in one printable sentence."""
    rng = random.Random(seed)
    copy(whole, folder)
    refused = 0
    for _ in range(count):
        name = rng.choice([one for one in DOCUMENTS if (whole / f"{one}.json").is_file()])
        path = folder / f"{name}.json"
        good = path.read_text(encoding="utf-8")
        path.write_text(json.dumps(spoil(json.loads(good), rng)), encoding="utf-8")
        try:
            opened(folder)
        except UserError as error:
            refused += 1
            assert str(error).isprintable()
        path.write_text(good, encoding="utf-8")
    return refused


def test_spoiled_folders(whole: Path, tmp_path: Path) -> None:
    assert cases(300, 0, whole, tmp_path / "model") > 30
    assert opened(tmp_path / "model") == 0


def test_a_model_that_loads_is_no_better_than_its_name() -> None:
    with pytest.raises(UserError, match="there is no folder"):
        open_model(ModelOrigin(path="nowhere\x1b"), "policy", "causal")
