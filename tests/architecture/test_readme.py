"""What README.md shows works as shown."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from overopt.commands.arguments import resolve, spread
from overopt.commands.request import Request
from overopt.execution.code.modules import load_module
from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.reading import Reading

from .checkout import PACKAGE, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def own_method(tmp_path: Path) -> Path:
    (example,) = blocks("python")
    path = tmp_path / "hinge.py"
    path.write_text(example, encoding="utf-8")
    return path


def test_example_method_resolves_and_plans(own_method: Path) -> None:
    run = resolve(Request(method=[str(own_method)], settings=["hinge.beta=0.5"]))
    (method,) = run.methods
    assert (method.name, method.family, method.uses_gold) == ("hinge", "pairs", "none")
    assert method.config == {"beta": 0.5}


def test_example_method_computes_its_loss(own_method: Path) -> None:
    module: Any = load_module(str(own_method))
    policy_BT = torch.tensor([[-1.0, -1.0], [-1.0, 0.0]], requires_grad=True)
    zero_BT, mask_BT = torch.zeros(2, 2), torch.ones(2, 2)
    chosen = Reading(policy_BT, zero_BT - 3.0, mask_BT)
    batch = PairBatch(chosen, Reading(zero_BT - 6.0, zero_BT, mask_BT))
    # margins: chosen -2 + 6 = 4 and -1 + 6 = 5, rejected -12: 16 and 17 nats
    assert module.loss(module.Config(beta=0.05), batch).tolist() == pytest.approx([0.2, 0.15])
    assert module.loss(module.Config(beta=0.1), batch).tolist() == [0.0, 0.0]
    module.loss(module.Config(beta=0.05), batch).sum().backward()
    assert policy_BT.grad is not None
    assert math.isclose(float(policy_BT.grad.sum()), -0.05 * 4, rel_tol=1e-6)


def test_commands_shown_exist() -> None:
    from typer.main import get_command

    from overopt import __main__ as cli

    commands: Any = get_command(cli.app)
    shown = re.findall(r"^(?:\.venv/bin/)?bench (\w+)(.*)$", "\n".join(blocks("sh")), re.MULTILINE)
    assert len(shown) > 5
    for name, rest in shown:
        words, command = rest.split("#")[0].split(), commands.commands[name]
        for below in getattr(command, "commands", {}) and words[:1]:
            command = command.commands[below]
        known = {option for one in command.params for option in one.opts}
        assert {word for word in spread(words) if word.startswith("-")} <= known, (
            f"bench {name}{rest}"
        )


def test_tree_names_every_room() -> None:
    (tree,) = blocks("text")[-1:]
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    named = set(re.findall(r"^  (\w+)/", tree, re.MULTILINE))
    assert named == rooms


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
