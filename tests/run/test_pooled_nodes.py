"""The graph of a world whose responses lie in a table: what is made of what, and refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from overopt.commands.arguments import resolve
from overopt.commands.request import Request
from overopt.errors import UserError
from overopt.execution.node import ancestry
from overopt.run.cells import cells_of
from overopt.run.graph import Graph


def graph(method: str = "bon", proxy: str = "single", settings: list[str] | None = None) -> Graph:
    request = Request(method=[method], proxy=[proxy], task="pool", seeds=1, settings=settings or [])
    return Graph(cells_of(resolve(request))[0])


def stages(asked: Graph) -> set[str]:
    points = asked.points("step", (0.5,))
    assert points is not None
    return {made.stage.removeprefix("overopt.stages.") for made in ancestry([points])}


def test_a_proxy_from_scratch_needs_no_policy() -> None:
    assert stages(graph()) == {
        *("pooled.listing", "pooled.pool", "pooled.pairs", "gold", "labels", "proxy"),
        *("score", "select"),
    }


def test_a_proxy_that_starts_from_a_language_model_has_one_of_the_texts() -> None:
    assert {"initial", "own.merged_proxy"} <= stages(graph(proxy="warm"))
    assert "pooled.opponents" in stages(graph(proxy="pm"))


@pytest.mark.parametrize("method", ["dpo", "rloo", "vas", "pf", "warp"])
def test_methods_that_say_something_new_are_refused(method: str) -> None:
    with pytest.raises(UserError, match="can only be chosen among"):
        graph(method).points("step", (0.5,))


def test_keys_follow_what_the_table_holds(tmp_path: Path) -> None:
    mine = tmp_path / "mine.jsonl"
    mine.write_text(
        '{"prompt": "p", "response": "one", "gold": 1, "source": "a"}\n', encoding="utf-8"
    )
    setting = [f"world.pool.file={mine}"]
    first = graph(settings=setting).listing.key
    with mine.open("a", encoding="utf-8") as stream:
        stream.write('{"prompt": "p", "response": "two", "gold": 2, "source": "b"}\n')
    assert graph(settings=setting).listing.key != first
    with pytest.raises(UserError, match="there is no file"):
        graph(settings=[f"world.pool.file={tmp_path / 'other.jsonl'}"])
    with pytest.raises(UserError, match="scored in its table"):
        resolve(Request(method=["bon"], task="pool", gold="transformer"))
