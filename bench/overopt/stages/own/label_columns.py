"""What labels say beside the preference, for reward-side systems that ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from overopt.artifacts.gold import load_gold
from overopt.artifacts.label_columns import write_columns
from overopt.artifacts.labeling import prefer_a, score_pairs
from overopt.artifacts.randomness import numpy_rng
from overopt.artifacts.tables import Column, Table, read_json
from overopt.errors import UserError
from overopt.execution.code.modules import load
from overopt.execution.contract import Progress
from overopt.spec.noise import NoiseSpec
from overopt.worlds.contract import world_of


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Write the columns that are asked for, a row for each pair of the ``labels`` input.

    params: ``world``, ``columns`` (names of ``spec.system.LabelColumn``), ``noise``, ``seed``;
    ``correlation`` of each term with the first, where it is set;
    ``annotators``, how many populations there are, where it is asked which one labeled a pair.

    Raises:
        UserError: terms are asked for, and the gold is no rule that has any.
    """
    kind = read_json(inputs["gold"] / "gold.json")["kind"]
    of_terms = {"terms", "ratings"}.intersection(params["columns"])
    if of_terms and kind != "rule":
        raise UserError("labels of terms are for a gold that is a rule; use --gold rule.")
    world = world_of(params)
    noise = NoiseSpec.model_validate(params["noise"])
    sd = float(read_json(inputs["pool"] / "summary.json")["gold_sd"])
    pairs = score_pairs(
        inputs["labels"] / "labels.parquet", world, load_gold(inputs["gold"], world)
    )
    prompts = world.train_prompts.take(pairs.prompt_id_P)
    columns: dict[str, Column] = {}
    sizes: dict[str, int] = {}
    if "category" in params["columns"]:
        kinds = load("worlds", f"{params['world']['kind']}.categories")
        columns["category"] = kinds.categorize(world, prompts)
        sizes["category"] = int(kinds.CATEGORIES)
    if "annotator" in params["columns"]:
        marks = Table(inputs["labels"] / "marks.parquet")
        columns["annotator"] = marks.integers("annotator")
        sizes["annotator"] = int(params["annotators"])
    if "clean" in params["columns"]:
        marks = Table(inputs["labels"] / "marks.parquet")
        columns["clean"] = marks.integers("clean").astype(bool)
        sizes["clean"] = 1
    if "strength" in params["columns"]:
        columns["strength"] = np.abs(pairs.gold_a_P - pairs.gold_b_P) / sd
        sizes["strength"] = 1
    if of_terms:
        of_a, of_b = (world.gold_terms(prompts, side) for side in (pairs.a, pairs.b))
        differences = {name: (value_P - of_b[name]) / sd for name, value_P in of_a.items()}
        if "correlation" in params:
            mixed = load("artifacts", "planted.attributes").correlated
            differences = mixed(differences, float(params["correlation"]))
        for name, value_P in of_a.items():
            difference_P = differences[name]
            rng = numpy_rng(int(params["seed"]), "term labels", name)
            first_P = prefer_a(difference_P, noise, rng)
            equal_P = difference_P == 0
            if "terms" in of_terms:
                said_P = np.where(first_P, 1, -1)
                columns[f"term:{name}"] = np.where(equal_P, 0, said_P).astype(np.int8)
            if "ratings" in of_terms:
                kept_P = equal_P | (first_P == (difference_P > 0))
                columns[f"rating_a:{name}"] = np.where(kept_P, value_P, of_b[name]) / sd
                columns[f"rating_b:{name}"] = np.where(kept_P, of_b[name], value_P) / sd
        sizes.update(dict.fromkeys(sorted(of_terms), len(of_a)))
    if "outcomes" in params["columns"]:
        judge = load("worlds", f"{params['world']['kind']}.outcomes").judge
        for name, side in (("a", pairs.a), ("b", pairs.b)):
            sure_P = np.where(judge(world, prompts, side), 1.0, -1.0)
            rng = numpy_rng(int(params["seed"]), "outcome labels", name)
            columns[f"outcome:{name}"] = prefer_a(sure_P, noise, rng).astype(np.int8)
        sizes["outcomes"] = 2
    write_columns(out, columns, sizes)
