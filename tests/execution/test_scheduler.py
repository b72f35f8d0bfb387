"""The scheduler: builds what is missing, once, whatever happens to files, stages and rivals."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence

from overopt.errors import UserError
from overopt.execution.artifact import InputEntry
from overopt.execution.executors.local import InlineExecutor
from overopt.execution.node import Node
from overopt.execution.outcomes import Notice, Outcome
from overopt.execution.scheduler import execute
from overopt.execution.standing.status import status
from overopt.execution.store import Store

from . import toy_stages
from .inline import begun, build, number
from .toys import once, total, toy

Log = Callable[[], list[str]]


def test_builds_ancestors_first_and_each_once(store: Store, toy_log: Log) -> None:
    bottom = total("bottom", {}, value=1)
    left, right = total("left", {"x": bottom}), total("right", {"x": bottom}, value=1)
    top = total("top", {"l": left, "r": right})
    assert number(build(store, top)[0]) == 2 * (2 + 3)
    assert sorted(begun(toy_log)) == ["bottom", "left", "right", "top"]
    assert (begun(toy_log)[0], begun(toy_log)[-1]) == ("bottom", "top")
    assert number(build(store, top, left)[1]) == 2
    assert len(begun(toy_log)) == 4


def test_cells_share_nodes(store: Store, toy_log: Log) -> None:
    shared = total("shared", {}, value=3)
    cells = [once([total(f"cell {i}", {"x": shared}, value=i)]) for i in range(3)]
    results = execute(cells, store, InlineExecutor(store))
    assert [number(r.value[0]) for r in results if r.value] == [6, 7, 8]
    assert begun(toy_log).count("shared") == 1


def test_ancestors_of_what_is_there_need_not_exist(store: Store, toy_log: Log) -> None:
    bottom = total("bottom", {}, value=1)
    top = total("top", {"x": bottom})
    build(store, top)
    store.folder(bottom.key).rename(store.root / "elsewhere")
    assert number(build(store, top)[0]) == 2
    assert begun(toy_log) == ["bottom", "top"]


def test_damage_rebuilds_only_the_damaged(store: Store, toy_log: Log) -> None:
    bottom = total("bottom", {}, value=1)
    middle = total("middle", {"x": bottom})
    top = total("top", {"x": middle})
    build(store, top)
    (store.folder(bottom.key) / "number.txt").write_text("9\n")
    outcomes = build(store, top, bottom)
    assert [number(outcome) for outcome in outcomes] == [4, 1]
    assert begun(toy_log) == ["bottom", "middle", "top", "bottom"]
    (store.folder(middle.key) / "manifest.json").unlink()
    assert number(build(store, top)[0]) == 4
    assert begun(toy_log)[4:] == []
    assert number(build(store, top, middle)[0]) == 4
    assert begun(toy_log)[4:] == ["middle"]


def replace(store: Store, made: Node, value: int) -> None:
    """Put other bytes under a node's key, as a stage would whose result is not the same twice."""
    receipt = store.receipt(made.key)
    assert receipt is not None
    store.folder(made.key).rename(store.root / f"old-{value}")
    draft = store.draft(made.key)
    toy_stages.write(draft, value)
    with store.lock(made.key):
        store.commit(made.key, draft, made, {}, receipt)


def test_other_bytes_of_an_input_rebuild_what_depends_on_it(store: Store, toy_log: Log) -> None:
    bottom = total("bottom", {}, value=1)
    middle = total("middle", {"x": bottom})
    top = total("top", {"x": middle})
    beside = total("beside", {}, value=5)
    build(store, top, beside)
    replace(store, bottom, 10)
    assert [s.state for s in status([top, beside], store)] == ["cached", "new", "new", "cached"]
    outcomes = build(store, top, beside)
    assert [number(outcome) for outcome in outcomes] == [40, 5]
    assert begun(toy_log) == ["bottom", "middle", "top", "beside", "middle", "top"]


def test_a_rebuilt_input_of_equal_bytes_spares_what_depends_on_it(
    store: Store, toy_log: Log
) -> None:
    """``bottom`` changes, ``middle`` is rebuilt and comes out equal, so ``top`` stays."""
    bottom = total("bottom", {}, value=1)
    middle = total("middle", {"x": bottom})
    top = total("top", {"x": middle})
    build(store, top)
    replace(store, bottom, 10)
    build(store, middle)
    replace(store, bottom, 1)
    assert number(build(store, top)[0]) == 4
    assert begun(toy_log) == ["bottom", "middle", "top", "middle", "middle"]


def test_status(store: Store, toy_log: Log) -> None:
    bottom = total("bottom", {}, value=1)
    middle = total("middle", {"x": bottom})
    top = total("top", {"x": middle})
    absent = Store(store.root / "absent")
    assert [s.state for s in status([top], absent)] == ["new", "new", "new"]
    build(store, middle)
    store.folder(bottom.key).rename(store.root / "gone")
    found = status([top], store)
    assert [(s.node.label, s.state) for s in found] == [
        ("bottom", "unneeded"),
        ("middle", "cached"),
        ("top", "new"),
    ]
    assert [s.size_bytes for s in found] == [0, len("written first") + len("2\n") + 512, 0]


def test_a_failing_stage_fails_what_depends_on_it_and_nothing_else(
    store: Store, toy_log: Log
) -> None:
    bad = toy("fail")
    above = total("above", {"x": bad, "y": total("fine", {})})
    top = total("top", {"x": above})
    cells = [once([top]), once([total("other", {}, value=4)]), once([bad])]
    first, second, third = execute(cells, store, InlineExecutor(store))
    assert first.value and second.value and third.value
    upstream, own = first.value[0].failure, third.value[0].failure
    assert upstream is not None
    assert own is not None
    assert (upstream.kind, upstream.cause_key) == ("upstream", bad.key)
    assert "a toy divided by zero" in upstream.message
    assert own.kind == "raised"
    assert own.message == "ZeroDivisionError: a toy divided by zero"
    assert "toy_stages.py" in own.traceback
    assert number(second.value[0]) == 4
    assert toy_log().count("fail") == 1
    record = store.failure(bad.key)
    assert record is not None
    assert record["message"] == own.message
    assert store.failure(top.key) is None
    assert not list(store.root.glob("tmp/*/*"))


def test_a_stage_that_writes_nothing_has_failed(store: Store, toy_log: Log) -> None:
    failure = build(store, toy("nothing"))[0].failure
    assert failure is not None
    assert "wrote no file" in failure.message


def test_a_search_asks_again_and_again(store: Store, toy_log: Log) -> None:
    def search(goal: int) -> Generator[Sequence[Node], Mapping[str, Outcome], list[int]]:
        low, high, tried = 0, 64, []
        while high - low > 1:
            middle = (low + high) // 2
            made = toy("number", value=middle)
            found = number((yield [made])[made.key])
            tried.append(found)
            low, high = (middle, high) if found <= goal else (low, middle)
        return tried

    results = execute([search(20), search(21)], store, InlineExecutor(store))
    assert [r.value for r in results] == [[32, 16, 24, 20, 22, 21], [32, 16, 24, 20, 22, 21]]
    assert len(toy_log()) == 6


def test_cells_that_ask_for_nothing_or_raise(store: Store, toy_log: Log) -> None:
    def broken(
        error: Exception,
    ) -> Generator[Sequence[Node], Mapping[str, Outcome], list[Outcome]]:
        yield []
        raise error

    wrong = broken(RuntimeError("a cell's own error"))
    mistaken = broken(UserError("a user's mistake"))
    results = execute([wrong, once([]), mistaken], store, InlineExecutor(store))
    assert results[0].error is not None
    assert "RuntimeError: a cell's own error" in results[0].error
    assert results[1].value == []
    assert results[2].error == "a user's mistake"


def test_the_longest_chain_starts_first(store: Store, toy_log: Log) -> None:
    short = total("short", {})
    long = total("long 2", {"x": total("long 1", {"x": total("long 0", {})})})
    costly = total("costly", {})
    estimates_s = {"costly": 9.0}
    cells = [once([short]), once([long]), once([costly])]
    execute(
        cells,
        store,
        InlineExecutor(store),
        estimate_s=lambda made: estimates_s.get(made.label, 1.0),
    )
    assert begun(toy_log) == ["costly", "long", "long", "short", "long"]


def test_a_chain_that_grows_moves_up(store: Store, toy_log: Log) -> None:
    shared = total("shared", {})
    first = [total(f"single{i}", {}) for i in range(3)]
    later = total("later2", {"x": total("later1", {"x": shared})})

    def grows() -> Generator[Sequence[Node], Mapping[str, Outcome], None]:
        yield [first[0]]
        yield [later]

    execute([once([*first, shared]), grows()], store, InlineExecutor(store))
    assert begun(toy_log) == ["single0", "shared", "later1", "single1", "single2", "later2"]


def test_notices_tell_the_story(store: Store, toy_log: Log) -> None:
    bottom = total("bottom", {}, value=1)
    build(store, bottom)
    told: list[Notice] = []
    top, bad = total("top", {"x": bottom}), toy("fail")
    wanted = [top, bad, total("above", {"x": bad})]
    execute([once(wanted)], store, InlineExecutor(store), told.append)
    assert [n.kind for n in told if n.node is bad] == ["started", "failed"]
    assert [(n.kind, n.node.title) for n in told if n.node is not bad] == [
        ("cached", "bottom"),
        ("skipped", "above"),
        ("started", "top"),
        ("built", "top"),
    ]
    last = told[-1].tally
    assert (last.cached, last.built, last.failed, last.running, last.waiting) == (1, 1, 2, 0, 0)


def test_inputs_are_recorded_by_digest(store: Store, toy_log: Log) -> None:
    bottom = total("bottom", {}, value=1)
    top = total("top", {"x": bottom})
    build(store, top)
    manifest = store.manifest(top.key)
    assert manifest is not None
    assert manifest.inputs == {"x": InputEntry(bottom.key, store.digest(bottom.key) or "")}
    receipt = store.receipt(top.key)
    assert receipt is not None
    assert receipt.size_bytes == manifest.size_bytes
    assert receipt.peak_memory_bytes > 2**20
