"""``bench list`` and ``bench show`` tell what declarations say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overopt.catalog import lookup, systems, toml_files
from overopt.commands.list import list_kind
from overopt.commands.show import paragraphs, show
from stages import step_system


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.mark.parametrize("kind", lookup.SINGULAR)
def test_list_names_everything(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_kind(kind) == 0
    told = capsys.readouterr().out
    for name in lookup.names(kind):
        assert f"\n {name} " in told or f"\n{name} " in told, name


def test_on_a_narrow_screen_columns_make_way_for_what_a_row_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    list_kind("methods")
    told = capsys.readouterr().out
    assert "A wider screen shows more columns: knob, family." in told
    assert "DPO: preference pairs as a classification" in told
    assert max(map(len, told.splitlines())) <= 80
    list_kind("tasks")  # few rows: their summaries are whole
    told = capsys.readouterr().out
    assert "…" not in told and "Word-level product reviews: readable" in told
    assert "KL budgets, nats." in told


@pytest.mark.parametrize("name", [*lookup.names("methods"), *lookup.names("proxies")])
def test_show_tells_paper_and_settings(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(name) == 0
    told = capsys.readouterr().out
    kind = "methods" if name in lookup.names("methods") else "proxies"
    assert "Paper: " in told
    assert "Deviations: " in told
    for parameter in lookup.declaration(kind, name).parameters:
        assert parameter.name in told
        assert parameter.allowed() in told
    if kind == "methods":
        assert f"knob     {systems.method(name).knob.name}" in told


@pytest.mark.parametrize("name", lookup.names("tasks"))
def test_show_tells_every_key_the_way_set_takes_it(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(name) == 0
    told = capsys.readouterr().out
    task = toml_files.load_task(name)
    for key, value in {
        "proxy.architecture.width": task.proxy.width,
        "pairs.learning_rate": task.pairs.learning_rate,
        "kl_grid_nats": json.dumps(list(task.kl_grid_nats)),
    }.items():
        if value is None:  # the proxies of a hub task have the width of the model they start from
            continue
        (line,) = (line for line in told.splitlines() if line.split()[:1] == [key])
        assert line.split(maxsplit=1)[1].strip() == str(value)
        changed = toml_files.load_task(name, {key: json.loads(str(value))})
        assert changed == task


@pytest.mark.parametrize("name", lookup.names("gold"))
def test_show_tells_the_gold(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert show(name) == 0
    assert toml_files.load_gold(name).summary in capsys.readouterr().out


def test_show_reads_a_persons_own_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, name in (("methods", "dpo"), ("proxies", "uwo")):
        own = tmp_path / f"my_{name}.py"
        own.write_bytes(lookup.files(kind)[name].read_bytes())
        assert show(str(own)) == 0
        assert f"--set my_{name}." in capsys.readouterr().out
    for kind, name in (("tasks", "tabular"), ("gold", "transformer")):
        own = tmp_path / f"my_{name}.toml"
        own.write_bytes((lookup.data_folder(kind) / f"{name}.toml").read_bytes())
        assert show(str(own)) == 0
        assert f"my_{name}: " in capsys.readouterr().out


def test_show_tells_that_a_system_of_steps_uses_gold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "mine.py"
    own.write_text(step_system.OWN, encoding="utf-8")
    assert show(str(own)) == 0
    assert "gold     its opinion of every step trains the members" in capsys.readouterr().out
    assert show("uwo") == 0
    assert "gold  " not in capsys.readouterr().out


def test_paragraphs_join_prose_and_keep_formulas() -> None:
    text = "One line.\n\nPaper: A, eq. 7,\nand more:\n    x = y\nThen\nprose.\nDeviations: none."
    assert list(paragraphs(text)) == [
        "One line.",
        "Paper: A, eq. 7, and more:",
        "    x = y",
        "Then prose.",
        "Deviations: none.",
    ]
