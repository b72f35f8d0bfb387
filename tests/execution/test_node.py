"""Keys: stable, moved by what can move a result, and by nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overopt import execution
from overopt.errors import UserError
from overopt.execution.canonical import Plain, canonical_json, plain
from overopt.execution.code import version as versions_module
from overopt.execution.code.version import code_version
from overopt.execution.node import Node, ancestry
from overopt.execution.stage import node, stage_function, stage_module

from .toys import STAGES, total, toy


def test_canonical_json_literals() -> None:
    assert canonical_json({"b": (1, 2.5), "a": None}) == '{"a":null,"b":[1,2.5]}'
    with pytest.raises(ValueError):
        canonical_json({"a": math.nan})
    with pytest.raises(TypeError, match="keys are text, not 1"):
        canonical_json({"a": [{1: 2}]})


@given(st.dictionaries(st.text(), st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_order_of_parameters_does_not_move_the_key(params: dict[str, float]) -> None:
    backwards = dict(reversed(params.items()))
    assert node(f"{STAGES}:number", params).key == node(f"{STAGES}:number", backwards).key


def test_key_of_a_node_is_the_sha256_of_its_identity() -> None:
    bare = Node("s", {"a": 1}, (), "c")
    above = Node("t", {}, (("role", bare),), "c")
    assert (
        bare.key
        == hashlib.sha256(b'{"code":"c","inputs":{},"params":{"a":1},"stage":"s"}').hexdigest()
    )
    assert (
        above.key
        == hashlib.sha256(
            b'{"code":"c","inputs":{"role":"' + bare.key.encode() + b'"},"params":{},"stage":"t"}'
        ).hexdigest()
    )


def test_what_moves_a_key() -> None:
    base = total("a", {"x": toy("number", value=1)})
    assert base.key == total("a", {"x": toy("number", value=1)}).key
    others = [
        total("b", {"x": toy("number", value=1)}),
        total("a", {"y": toy("number", value=1)}),
        total("a", {"x": toy("number", value=2)}),
        node(f"{STAGES}:number", base.params, dict(base.inputs)),
        node(f"{STAGES}:total", base.params, dict(base.inputs), extra_code=["overopt.spec"]),
    ]
    assert len({base.key, *(other.key for other in others)}) == 6


def test_labels_and_resources_do_not_move_a_key() -> None:
    plain = toy("number", value=1)
    assert node(f"{STAGES}:number", {"value": 1}, label="seven").key == plain.key
    assert toy("number", timeout_s=None, value=1).key == plain.key


def test_parameters_are_copied() -> None:
    params = {"list": [1]}
    made = node(f"{STAGES}:number", params)
    params["list"].append(2)
    assert made.params == {"list": [1]}


def test_ancestry_puts_inputs_first_and_each_once() -> None:
    bottom = total("bottom", {})
    left, right = total("left", {"x": bottom}), total("right", {"x": bottom})
    top = total("top", {"l": left, "r": right, "b": bottom})
    assert [made.label for made in ancestry([top, left])] == ["bottom", "left", "right", "top"]


def test_stage_names() -> None:
    assert (stage_module("a.b"), stage_function("a.b")) == ("a.b", "run")
    assert (stage_module("a.b:f"), stage_function("a.b:f")) == ("a.b", "f")
    assert [Node(stage, {}, (), "c").name for stage in ("a.b", "a.b:f", "a")] == ["b", "f", "a"]


BODY = '"""A module."""\nfrom overopt.errors import UserError\n\ndef f(x):\n    return x + 1\n'


@pytest.mark.parametrize(
    ("edited", "same"),
    [
        (BODY.replace("A module", "Another text"), True),
        (BODY.replace("return", "# why\n    return"), True),
        (BODY.replace("x + 1", "(x   +\n 1)"), True),
        (BODY.replace("(x):\n", '(x):\n    """Adds one."""\n'), True),
        (BODY.replace("x + 1", "x + 2"), False),
        (BODY.replace("def f", "def g"), False),
        (BODY.replace("overopt.errors", "overopt.spec"), False),
        (BODY.replace("return x", "from overopt import spec\n    return x"), False),
    ],
)
def test_code_version_of_a_file(tmp_path: Path, edited: str, same: bool) -> None:
    before, after = tmp_path / "before.py", tmp_path / "after.py"
    before.write_text(BODY)
    after.write_text(edited)
    assert (code_version(str(before)) == code_version(str(after))) is same


def test_a_docstring_alone_makes_an_empty_body(tmp_path: Path) -> None:
    for name, text in (("a", '"one"'), ("b", '"two"')):
        (tmp_path / f"{name}.py").write_text(f"class C:\n    {text}\n")
    assert code_version(str(tmp_path / "a.py")) == code_version(str(tmp_path / "b.py"))


def _package(folder: Path, leaf: str) -> None:
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "sub").mkdir()
    (folder / "sub" / "__init__.py").write_text("")
    (folder / "sub" / "top.py").write_text("def run():\n    from .middle import value\n")
    (folder / "sub" / "middle.py").write_text("from .. import leaf\nvalue = leaf.value\n")
    (folder / "leaf.py").write_text(leaf)
    (folder / "bystander.py").write_text(leaf)


def _forget() -> None:
    for cached in (
        code_version,
        versions_module._read,
        versions_module._locate,
        versions_module._package_file,
    ):
        cached.cache_clear()


def test_transitive_relative_imports_inside_functions_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = []
    for name, leaf in (("one", "value = 1\n"), ("two", "value = 2\n"), ("three", "value = 1\n")):
        _package(tmp_path / name, leaf)
        if name == "three":
            (tmp_path / name / "bystander.py").write_text("value = 3\n")
        _forget()
        monkeypatch.setattr(versions_module, "_ROOT", tmp_path / name)
        versions.append(code_version("overopt.sub.top"))
    _forget()
    assert versions[0] != versions[1]
    assert versions[0] == versions[2]


def test_library_versions_count(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_version("overopt.errors")
    monkeypatch.setattr(versions_module, "_libraries", lambda: ("torch==0",))
    assert code_version.__wrapped__("overopt.errors") != before


@pytest.mark.parametrize("part", ["overopt.stages.no_such", "no_such_module", "/no/such/file.py"])
def test_missing_code_is_a_users_mistake(part: str) -> None:
    with pytest.raises(UserError):
        code_version(part)


def test_invalid_python_is_a_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def f(:\n")
    with pytest.raises(UserError, match=r"bad\.py is not valid Python"):
        code_version(str(tmp_path / "bad.py"))


def test_the_runner_does_not_import_torch() -> None:
    room = Path(execution.__file__).parent
    paths = [path.relative_to(room).with_suffix("") for path in room.rglob("*.py")]
    names = [".".join(path.parts) for path in paths if path.stem != "__init__"]
    assert {"node", "store", "executors.local", "scheduler", "worker", "code.version"} <= set(names)
    program = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module('overopt.execution.' + name)\n"
        "from overopt.execution.code.version import code_version\n"
        "code_version('overopt.stages.initial')\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


TEXTS = st.text(max_size=4)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_canonical_json_is_that_of_the_library(value: dict[str, object]) -> None:
    """Whether or not parts of it are shared, and after a copy as well."""
    wanted = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    shared = {key: Plain(held) if isinstance(held, dict) else held for key, held in value.items()}
    for same in (value, shared, Plain(shared), plain(shared)):
        assert canonical_json(same) == wanted
    assert pickle.loads(pickle.dumps(Plain(value))) == value


def test_shared_json_cannot_be_changed() -> None:
    shared = Plain({"a": 1})
    with pytest.raises(TypeError, match="it is shared"):
        shared["a"] = 2
    assert plain({"x": shared})["x"] is shared


def test_what_is_asked_for_again_is_the_same_node() -> None:
    one = node(f"{STAGES}:number", {"value": 1, "list": (1, 2)}, label="one")
    assert node(f"{STAGES}:number", {"value": 1, "list": (1, 2)}, label="one") is one
    for other in (1.0, True, "1"):
        assert (
            node(f"{STAGES}:number", {"value": other, "list": (1, 2)}, label="one").key != one.key
        )
    renamed = node(f"{STAGES}:number", {"value": 1, "list": (1, 2)}, label="two")
    assert (renamed.label, renamed.key) == ("two", one.key)
    zero, minus = (
        node(f"{STAGES}:number", {"value": 0.0}),
        node(f"{STAGES}:number", {"value": -0.0}),
    )
    assert zero.key != minus.key


def test_a_node_brings_no_inputs_that_are_told_otherwise() -> None:
    """One key, asked for by two graphs that call its input by two names."""
    one, two = (node(f"{STAGES}:number", {"value": 7}, label=label) for label in ("one", "two"))
    before, after = (node(f"{STAGES}:number", {"value": 8}, {"of": given}) for given in (one, two))
    assert before.key == after.key
    assert dict(after.inputs)["of"] is two and dict(before.inputs)["of"] is one
    assert node(f"{STAGES}:number", {"value": 8}, {"of": two}) is after
