"""Keys hash only what made the artifact: for each edit, the stages whose code version moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

from overopt.execution.code import version as versions

from .moved import Copy, a_comment, a_line, field_of, statement_in

READS_GOLD = (
    "* pool*",
    "* labels",
    "* evaluate*",
    "* anneal",
    "* listing",
    "* judge",
    "* system:* columns",
    "* system:* choice",
)
IN_WORLD = (
    "initial", "gold:*", "pool*", "pairs", "labels", "proxy", "score", "optimize:*", "evaluate*",
    "measure", "merge:*", "compose:*", "value:*", "particles:*", "judge", "select:*",
)  # fmt: skip
"""All but the front, which is arithmetic on tables."""
READS_REWARD = ("* optimize:rloo:*", "* optimize:online_dpo:*", "* value:*", "* particles:*")
LEARNS_ONLINE = READS_REWARD[:2]
SAMPLES = (
    "* pool*", "* pairs", "* evaluate*", "* optimize:*", "* merge:*", "* compose:*",
    "* value:*", "* particles:*", "* gold:transformer", "* anneal", "* system:* opponents",
)  # fmt: skip
TRAINS = (
    "* initial", "* proxy", "* system:* member", "* step_proxy", "* gold:transformer",
)  # fmt: skip
PAIRS, PLAIN_LABELS = (
    tuple(f"{kind} {stage}" for kind in ("reviews", "tabular", "arithmetic", "hub"))
    for stage in ("pairs", "labels")
)
"""Those of the stage itself, not of people who differ."""
OF_STEPS = ("step_labels", "step_proxy", "step_score")
"""Made in a world of steps only, for systems that score them."""
FROM_POLICY = ("arithmetic proxy", "arithmetic step_proxy")


class Case(NamedTuple):
    """An edit of a file, and patterns of the stages that it moves, ``<kind of world> <stage>``."""

    file: str
    edit: Callable[[str], str]
    moved: tuple[str, ...]


def _in(kind: str, *own: str) -> tuple[str, ...]:
    """Patterns of all stages that are made in a world of a kind, with those of its own."""
    return tuple(f"{kind} {stage}" for stage in (*IN_WORLD, *own))


CASES = (
    # a maker moves what it makes
    Case("stages/initial.py", statement_in("run"), ("* initial",)),
    Case("stages/imitation.py", statement_in("imitate"), ("* initial",)),
    Case("stages/gold.py", statement_in("run"), ("* gold:*",)),
    Case("stages/golds/model.py", statement_in("make"), ("* gold:transformer",)),
    Case("stages/pairs.py", statement_in("run"), PAIRS),
    Case("stages/labels.py", statement_in("run"), PLAIN_LABELS),
    Case("stages/proxy.py", statement_in("run"), ("* proxy",)),
    Case("stages/score.py", statement_in("run"), ("* score",)),
    Case("stages/own/opponents.py", statement_in("run"), ("* system:compared opponents",)),
    Case("stages/own/policy_proxy.py", statement_in("run"), ("* system:paired policy",)),
    Case("stages/own/proxy.py", statement_in("run"), ("* system:* member",)),
    Case("stages/own/label_columns.py", statement_in("run"), ("* system:labeled columns",)),
    Case("stages/own/routed_labels.py", statement_in("run"), ("* system:routed choice",)),
    Case("worlds/reviews/categories.py", a_line, (
        "* system:labeled columns", "* system:routed choice", "* people:coverage pairs",
    )),
    Case("stages/people/labels.py", statement_in("run"), ("* people:* labels",)),
    Case("stages/people/pairs.py", statement_in("run"), ("* people:coverage pairs",)),
    Case("artifacts/people.py", a_line, ("* people:* labels",)),
    Case("artifacts/flaws.py", a_line, ("* people:* labels",)),
    Case("spec/labeling.py", field_of("LabelingSpec"), ("* people:* labels",)),
    Case("spec/flaw.py", field_of("FlawSpec"), ("* people:*",)),
    Case("worlds/reviews/topics.py", a_line, ("* people:topics labels",)),
    Case("worlds/reviews/flaws.py", a_line, ("* people:praise labels",)),
    Case("artifacts/label_columns.py", a_line, ("* system:* member", "* system:labeled columns")),
    Case("artifacts/labeling.py", a_line, ("* labels", "* system:* columns", "* system:* choice")),
    Case("stages/own/merged_proxy.py", statement_in("run"), ("* system:averaged merged",)),
    Case("stages/step_labels.py", statement_in("run"), ("* step_labels",)),
    Case("stages/step_proxy.py", statement_in("run"), ("* step_proxy",)),
    Case("stages/step_score.py", statement_in("run"), ("* step_score",)),
    Case("stages/optimize.py", statement_in("run"), ("* optimize:*",)),
    Case("stages/optimize_trl.py", statement_in("run"), ("* optimize:*:trl",)),
    Case("stages/trajectory.py", a_line, ("* optimize:*", "* merge:*", "* compose:*")),
    Case("stages/compose.py", statement_in("run"), ("* compose:*",)),
    Case("stages/particles.py", statement_in("run"), ("* particles:*",)),
    Case("stages/judge.py", statement_in("run"), ("* judge",)),
    Case("engines/particles/filter.py", a_line, ("* particles:*",)),
    Case("methods/contract/particles.py", a_line, ("* particles:*",)),
    Case("stages/value.py", statement_in("run"), ("* value:*",)),
    Case("engines/learned/values.py", a_line, ("* value:*",)),
    Case("engines/learned/critic.py", a_line, ("* value:*",)),
    Case("models/values.py", a_line, ("* value:*",)),
    Case("methods/contract/values.py", field_of("Valued"), ("* value:*", "* compose:valued")),
    Case("stages/merge.py", statement_in("run"), ("* merge:*",)),
    Case("stages/evaluate.py", statement_in("run"), ("* evaluate*",)),
    Case("stages/measure.py", statement_in("run"), ("* measure",)),
    Case("stages/select.py", statement_in("run"), ("* select:*",)),
    Case("stages/front.py", statement_in("run"), ("* front",)),
    Case("stages/anneal.py", statement_in("run"), ("* anneal",)),
    # a kind of world moves what is made in it
    Case("worlds/reviews/writer.py", a_line, _in("reviews", "anneal", "system:*", "people:*")),
    Case("worlds/tabular/rule.py", a_line, _in("tabular", "listing")),
    Case("worlds/arithmetic/writer.py", a_line, _in("arithmetic", "anneal", *OF_STEPS)),
    Case("worlds/steps.py", a_line, _in("arithmetic", "anneal", *OF_STEPS)),
    Case("worlds/hub/world.py", a_line, _in("hub")),
    Case("worlds/hub/pairs.py", a_line, ("hub pairs",)),
    # a kind of gold moves what reads a gold of that kind
    Case("artifacts/gold.py", a_line, READS_GOLD),
    Case("artifacts/golds/rule.py", a_line, (
        "reviews pool", "reviews labels", "reviews evaluate*", "tabular pool", "tabular labels",
        "tabular evaluate*", "tabular listing", "reviews anneal",
        "reviews system:* columns", "reviews system:* choice", "arithmetic pool",
        "reviews people:* labels",
        "reviews judge", "tabular judge",
        "arithmetic judge", "arithmetic labels", "arithmetic evaluate*", "arithmetic anneal",
    )),
    Case("artifacts/golds/model.py", a_line, ("reviews pool:transformer",)),
    Case("artifacts/golds/classifier.py", a_line, (
        "hub pool", "hub labels", "hub evaluate*", "hub judge", "hub gold:classifier",
    )),
    # a specification moves what it describes
    Case("spec/noise.py", field_of("NoiseSpec"), (
        "* labels", "* step_labels", "* system:* columns", "* system:* choice",
    )),
    Case("spec/trl.py", field_of("TrlSpec"), ("* optimize:*:trl",)),
    Case("spec/hub.py", field_of("HubSpec"), (
        *_in("hub"), "* system:averaged member", *FROM_POLICY,
    )),
    Case("spec/policy.py", field_of("PolicySpec"), ("* initial",)),
    Case("spec/proxy.py", field_of("ProxySpec"), ("* proxy", "* system:* member", "* step_proxy")),
    Case("spec/training.py", field_of("TrainingSpec"), (*TRAINS, "* gold:*")),
    Case("spec/task.py", field_of("TaskSpec"), ()),
    Case("spec/run.py", field_of("RunSpec"), ()),
    Case("spec/pairs.py", field_of("PairsSpec"), ("* optimize:dpo:*",)),
    Case("spec/rollout.py", field_of("RolloutSpec"), (*LEARNS_ONLINE, "* value:*")),
    # an engine moves the runs of its family, and what families share those of all that share it
    Case("engines/pairs.py", statement_in("optimize_pairs"), ("* optimize:dpo:native",)),
    Case("engines/rollout.py", statement_in("optimize_rollout"), ("* optimize:rloo:native",)),
    Case("engines/iterative.py", a_line, ("* optimize:online_dpo:native",)),
    Case("engines/online.py", a_line, ("* optimize:rloo:native", "* optimize:online_dpo:native")),
    Case("engines/learner.py", a_line, ("* optimize:*:native",)),
    Case("engines/pair_data.py", a_line, ("* optimize:dpo:*",)),
    Case("engines/walk/kl_walk.py", a_line, ("* optimize:*", "* merge:*", "* compose:*")),
    Case("engines/method/merge.py", a_line, ("* merge:*",)),
    Case("engines/trl/pairs.py", a_line, ("* optimize:dpo:trl",)),
    Case("engines/trl/rollout.py", a_line, ("* optimize:rloo:trl",)),
    Case("engines/trl/run.py", a_line, ("* optimize:*:trl",)),
    Case("engines/rehearsals/method.py", a_line, ()),
    # what a family learns from moves its runs
    Case("artifacts/preferences.py", a_line, (
        "* optimize:dpo:*", "* proxy", "* step_proxy", "* system:* member", "* system:* merged",
        "* system:* policy",
    )),
    Case("artifacts/own_proxy.py", a_line, ("* system:* member", "* system:headed score")),
    Case("artifacts/policy_proxy.py", a_line, ("* system:paired *",)),
    Case("artifacts/pairwise_proxy.py", a_line, (
        "* system:compared member", "* system:compared score",
    )),
    Case("artifacts/settling.py", a_line, ("* system:settled member",)),
    Case("artifacts/proxy_loss.py", a_line, ()),
    Case("artifacts/reward.py", a_line, READS_REWARD),
    Case("artifacts/step_member.py", a_line, ("* step_proxy", "* step_score")),
    Case("proxies/contract/steps.py", a_line, ("* step_proxy", "* step_score")),
    # a contract moves its family's stages
    Case("methods/contract/pairs.py", field_of("PairBatch"), ("* optimize:dpo:*",)),
    Case("methods/contract/rollout.py", field_of("RolloutStep"), (
        "* optimize:rloo:*", "* merge:warp",
    )),
    Case("methods/contract/iterative.py", field_of("SamplePairs"), ("* optimize:online_dpo:*",)),
    Case("methods/contract/reading.py", field_of("Reading"), ("* optimize:*", "* merge:warp")),
    Case("methods/contract/samples.py", field_of("Rollout"), (*LEARNS_ONLINE, "* merge:warp")),
    Case("methods/contract/merge.py", a_line, ("* merge:*",)),
    Case("methods/contract/selection.py", field_of("ScoredPool"), ("* select:*",)),
    Case("methods/contract/composition.py", field_of("Composition"), ("* compose:*", "* value:*")),
    # a method moves its own runs, and shared mathematics the runs of methods that share it
    Case("methods/pairs/dpo.py", statement_in("loss"), ("* optimize:dpo:*",)),
    Case("methods/rollout/rloo.py", statement_in("loss"), ("* optimize:rloo:*",)),
    Case("methods/merge/warp.py", statement_in("merge"), ("* merge:warp",)),
    Case("methods/selection/bon.py", statement_in("weights"), ("* select:bon",)),
    Case("methods/math/estimators.py", a_line, ("* optimize:rloo:*", "* merge:warp")),
    Case("proxies/single.py", statement_in("combine"), (
        *READS_REWARD, "* measure", "* select:*", "* step_proxy", "* step_score",
    )),
    Case("proxies/uwo.py", statement_in("combine"), ()),
    Case("models/rewards/probing.py", a_line, ("* system:* member", "* system:* choice")),
    Case("models/rewards/pairwise.py", a_line, (
        "* system:compared member", "* system:compared score", "* system:settled member",
    )),
    Case("models/rewards/ratio.py", a_line, ("* system:paired *",)),
    Case("proxies/contract/policies.py", a_line, ("* system:paired *",)),
    Case("models/rewards/headed.py", a_line, (
        "* system:* member", "* system:headed score", "* system:compared score",
    )),
    Case("proxies/contract/heads.py", a_line, (
        "* system:* member", "* system:* merged", "* system:headed score", "* system:* choice",
        "* system:compared score",
    )),
    Case("proxies/contract/members.py", a_line, (
        "* system:* member", "* system:* merged", "* system:headed score", "* system:* choice",
        "* system:compared score",
    )),
    # models move what runs them
    Case("models/sampling.py", a_line, SAMPLES),
    Case("models/composed.py", a_line, ("* compose:*", "* evaluate:*")),
    Case("spec/recipe.py", field_of("Recipe"), ("* compose:*", "* evaluate:*")),
    Case("models/fitting.py", a_line, TRAINS),
    Case("models/language_fitting.py", a_line, ("* initial",)),
    Case("models/rewards/reward_fitting.py", a_line, (
        "* proxy", "* gold:transformer", "* system:* member",
    )),
    Case("models/rewards/step_fitting.py", a_line, ("* step_proxy",)),
    Case("models/starts/scratch.py", a_line, (
        "reviews initial", "tabular initial", "arithmetic initial", "reviews proxy",
        "tabular proxy", "* gold:transformer", "* system:labeled member",
        "* system:compared member", "* system:settled member",
    )),
    Case("models/starts/policy.py", a_line, (*FROM_POLICY, "* system:averaged member")),
    Case("models/starts/base.py", a_line, ("hub initial", "hub proxy")),
    Case("models/reading.py", a_line, (
        "hub proxy", "hub score", "hub optimize:rloo:*", "hub optimize:online_dpo:*", "hub gold:*",
        "hub value:*", "hub particles:*", "hub judge",
        "hub pool", "hub labels", "hub evaluate*",
    )),
    Case("stats/pools/fronts.py", a_line, ("* front",)),
    Case("stats/pools/annealing.py", a_line, ("* front", "* anneal")),
    # what makes no artifact moves none
    Case("stats/intervals.py", a_line, ()),
    Case("stats/kl.py", a_comment, ()),
    Case("report/curves.py", a_line, ()),
    Case("run/cells.py", statement_in("cells_of"), ()),
    Case("execution/store.py", a_line, ()),
    Case("execution/code/version.py", a_line, ()),
    Case("catalog/declarations.py", a_line, ()),
    Case("commands/run.py", a_line, ()),
)  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    cached = (versions.code_version, versions._read, versions._locate, versions._package_file)
    with pytest.MonkeyPatch.context() as patch:

        def redirect(folder: Path) -> None:
            patch.setattr(versions, "_ROOT", folder)
            for function in cached:
                function.cache_clear()

        yield Copy(tmp_path_factory.mktemp("copy"), redirect)
    for function in cached:
        function.cache_clear()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_an_edit_moves_what_it_made(case: Case, copy: Copy) -> None:
    matched = {
        pattern: {name for name in copy.names if fnmatchcase(name, pattern)}
        for pattern in case.moved
    }
    assert all(matched.values()), "a pattern that no stage has"
    assert copy.moved(case.file, case.edit) == sorted(set().union(*matched.values()))
