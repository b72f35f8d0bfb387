"""Trees that the policy searches during training, as rows to learn from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from overopt.engines.contract import RunInputs, required
from overopt.engines.drawn import DrawnSamples, read_responses
from overopt.engines.learner import Learner
from overopt.engines.method.search import OpenedSearch
from overopt.engines.particles.tree import TreeSearch
from overopt.methods.contract.reading import Reading
from overopt.methods.contract.trees import Tree
from overopt.models.logprobs import choose_logps
from overopt.models.sampling import stop_ids
from overopt.models.sequences import join
from overopt.worlds.tokens import Tokens


def draw_opponents(
    learner: Learner, drawn: DrawnSamples, prompts: Tokens, inputs: RunInputs
) -> DrawnSamples:
    """The nodes of one search of the policy, as it is, for each of B prompts; ``rollout.tree``.

    What is read of a node is the whole text up to there, so that siblings differ in their last
    block alone. Values are what the method's module says at a node's last token, where it has one,
    else the proxy's score of the text as it stands.

    Args:
        learner: policy and method, with its ``priority``.
        drawn: samples of the same prompts; not used.
        prompts: B of them.
        inputs: of the run; torch draws the tokens, numpy breaks ties.
    """
    reward = required(inputs.reward, "a reward")

    def value(asked: Tokens, partial: Tokens) -> npt.NDArray[np.float64]:
        return reward(asked, partial) if learner.module is None else _said(learner, asked, partial)

    method = learner.method_as(OpenedSearch)
    stops = tuple(stop_ids(learner.policy))
    search = TreeSearch(method, learner.policy, value, reward, inputs.max_new_tokens, stops)
    trees = search.grow(prompts, inputs.randomness.torch, inputs.randomness.numpy)
    count, branch = prompts.rows(), method.branch
    grown_BF = np.arange(method.rollouts) * branch + 1 < trees.used_R[:, None]
    family_BF = np.where(grown_BF, np.arange(method.rollouts), 0)
    node_BM = (1 + family_BF[:, :, None] * branch + np.arange(branch)).reshape(count, -1)
    row_B1 = np.arange(count)[:, None]
    nodes = Tokens(
        trees.ids_RMT[row_B1, node_BM].reshape(-1, inputs.max_new_tokens),
        trees.length_RM[row_B1, node_BM].ravel(),
    )
    ended_R = nodes.ends_with(stops) | (nodes.length_N == inputs.max_new_tokens)
    read = read_responses(learner, prompts, nodes, reward)
    grown_R = np.repeat(grown_BF.ravel(), branch)
    read = read._replace(tokens_R=np.where(grown_R, read.tokens_R, 0))  # the rest fills places
    shape = (*grown_BF.shape, branch)
    mask = read.rollout.sampled.mask
    tree = Tree(
        torch.from_numpy(trees.value_RM[row_B1, node_BM]).to(mask).view(shape),
        torch.from_numpy(ended_R).to(mask.device).view(shape),
        torch.from_numpy(grown_BF).to(mask.device),
    )
    rollout = drawn.rollout._replace(opponents=read.rollout, tree=tree)
    return drawn._replace(rollout=rollout, opponents=read)


def _said(learner: Learner, asked: Tokens, partial: Tokens) -> npt.NDArray[np.float64]:
    """What the method's module says at the last token of each partial answer, (N,).

    Raises:
        FloatingPointError: it is not finite.
    """
    batch = join(asked, partial, learner.policy.device)
    with torch.no_grad():
        reference = learner.run_reference(batch)
        reference_logp = choose_logps(reference.logp_BKV, batch)
        before = Reading(reference_logp, reference_logp, batch.mask_BT.to(reference_logp))
        output_NTC = required(learner.run(batch, before, reference).reading.output, "a module")
    last_N = torch.from_numpy(partial.length_N.astype(np.int64) - 1).to(output_NTC.device)
    value_N = output_NTC[torch.arange(len(last_N)), last_N, 0].cpu().numpy().astype(np.float64)
    if not np.isfinite(value_N).all():
        raise FloatingPointError(f"{learner.name}: the value of a partial answer is not finite")
    return value_N
