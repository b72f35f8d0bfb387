"""Tries a method or proxy of the user's own on made-up numbers, before a run spends time on it.

The numbers have the shapes that the engines hand over, with every size different, so that a mean
over the wrong axis is noticed. What is found wrong is told in one sentence.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overopt.errors import UserError
from overopt.execution.modules import find_module, is_file, load_module
from overopt.methods.contract.iterative import KeptRows, RowPairs, SampleBatch
from overopt.methods.contract.pairs import PairBatch
from overopt.methods.contract.rollout import Rollout, RolloutStep
from overopt.methods.contract.selection import ScoredPool, samples_of_reference
from overopt.methods.contract.training import AfterStep, HiddenStates, StateShape, Training
from overopt.spec.method import MethodSpec
from overopt.spec.system import ProxySystemSpec

PROMPTS, SAMPLES, TOKENS, POOL = 3, 4, 5, 64
_STATES = StateShape(layers=2, width=6)


def rehearse(spec: MethodSpec | ProxySystemSpec) -> None:
    """Import a method or proxy and call its functions once.

    Raises:
        UserError: it raises an error, or returns something of another shape or not finite.
    """
    with _blamed(spec.source, "importing it"):
        module: Any = load_module(spec.source)
        config = module.Config(**spec.config)
    if isinstance(spec, ProxySystemSpec):
        _combine(spec, module, config)
        return
    trial = _Trial(spec, module, config)
    for family in dict.fromkeys((spec.family, spec.trains)):
        getattr(trial, f"try_{family}")()
    trial.try_hooks()


def _combine(spec: ProxySystemSpec, module: Any, config: Any) -> None:
    score_MN = np.random.default_rng(0).normal(size=(spec.members, 7))
    with _blamed(spec.source, "combine"):
        reward_N = np.asarray(module.combine(config, score_MN), dtype=np.float64)
    if reward_N.shape != (7,):
        raise UserError(
            f"{spec.source}: combine returns shape {reward_N.shape} for the scores of "
            f"{spec.members} members on 7 responses; it must be (7,), one reward per response."
        )
    _finite(spec.source, "combine", torch.from_numpy(reward_N))


@contextmanager
def _blamed(source: str, what: str) -> Iterator[None]:
    """Tell an error of the user's code with the line of the user's file that it came from."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        path = Path(source) if is_file(source) else find_module(source)
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if path is not None and Path(frame.filename) == path
        ]
        line = f", line {lines[-1]}" if lines else ""
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"{source}{line}: {what}: {type(error).__name__}: {first}") from error


def _finite(source: str, what: str, value: Tensor) -> None:
    if not torch.isfinite(value).all():
        raise UserError(
            f"{source}: {what} returns NaN or infinity on ordinary numbers; look for a logarithm, "
            "a division or an exponential that leaves its range."
        )


class _Trial:
    """One method on made-up numbers; every draw comes from a stream of its own."""

    def __init__(self, spec: MethodSpec, module: Any, config: Any) -> None:
        self.source, self.spec, self.module, self.config = spec.source, spec, module, config
        self._generator = torch.Generator().manual_seed(0)
        self._inputs: tuple[str, ...] = getattr(module, "INPUTS", ())
        self._net: Any = None
        if hasattr(module, "make_module"):
            self._net = self._call("make_module", _STATES)
        if hasattr(module, "training"):
            self._expect("training", self._call("training"), Training)

    def try_pairs(self) -> None:
        """A loss of each of B pairs."""
        self._loss(self._pair_batch(), (PROMPTS,), "pair")

    def try_rollout(self) -> None:
        """Advantages without gradient, then a loss of each of B x N responses."""
        rollout = self._rollout()
        with torch.no_grad():
            advantage = self._call("advantages", rollout)
        self._expect("advantages", advantage, Tensor)
        allowed = ((PROMPTS, SAMPLES), (PROMPTS, SAMPLES, TOKENS))
        if tuple(advantage.shape) not in allowed:
            raise UserError(
                f"{self.source}: advantages returns shape {tuple(advantage.shape)} for {PROMPTS} "
                f"prompts of {SAMPLES} samples of up to {TOKENS} tokens; it must be {allowed[0]}, "
                f"one per response, or {allowed[1]}, one per token."
            )
        _finite(self.source, "advantages", advantage)
        step = RolloutStep(
            rollout,
            self._logp(rollout.mask_BNT).requires_grad_(),
            advantage,
            self._outputs((PROMPTS, SAMPLES)),
            self._kl(rollout.mask_BNT),
        )
        self._loss(step, (PROMPTS, SAMPLES), "response")

    def try_iterative(self) -> None:
        """Rows or pairs of rows out of B x N samples, then a loss of each."""
        built = self._call("build", self._rollout())
        self._expect("build", built, (KeptRows, RowPairs))
        for index in built:
            rows = torch.as_tensor(index)
            if rows.dim() != 1 or rows.is_floating_point():
                raise UserError(
                    f"{self.source}: build returns rows of shape {tuple(rows.shape)} and type "
                    f"{rows.dtype}; they are one list of whole numbers."
                )
            if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < PROMPTS * SAMPLES:
                raise UserError(
                    f"{self.source}: build returns rows outside of 0 to "
                    f"{PROMPTS * SAMPLES - 1} for {PROMPTS} prompts of {SAMPLES} samples; sample "
                    "n of prompt b is row b * N + n."
                )
        kept = isinstance(built, KeptRows)
        batch = self._sample_batch() if kept else self._pair_batch()
        self._loss(batch, (PROMPTS,), "sample" if kept else "pair")

    def try_selection(self) -> None:
        """Weights that are probabilities, a KL that follows from them, and what they cost."""
        knob = math.sqrt(self.spec.knob.low * self.spec.knob.high)
        if self.spec.knob.whole:
            knob = float(math.ceil(self.spec.knob.low))
        proxy_BN = np.random.default_rng(0).normal(size=(PROMPTS, POOL))
        for name in ("weights", "unbiased_weights"):
            if hasattr(self.module, name):
                self._probabilities(name, samples_of_reference(proxy_BN), knob)
        size = self._call("draw_size", knob) if hasattr(self.module, "draw_size") else 0
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 0:
            raise UserError(f"{self.source}: draw_size returns {size!r}, not a count from 0.")
        if size:
            draws = np.random.default_rng(0).normal(size=(POOL, int(size)))
            self._probabilities("draw_weights", samples_of_reference(draws), knob)
        elif not hasattr(self.module, "weights"):
            raise UserError(
                f"{self.source}: draw_size returns 0, so that nothing is drawn; define weights, "
                "the policy without draws, or return a count from 1."
            )
        if hasattr(self.module, "kl_bound_nats"):
            bound = torch.tensor(float(self._call("kl_bound_nats", knob)))
            _finite(self.source, "kl_bound_nats", bound)
        used = self._call("samples_used", POOL, knob)
        if isinstance(used, bool) or not isinstance(used, int | np.integer) or used < 1:
            raise UserError(f"{self.source}: samples_used returns {used!r}, not a count from 1.")

    def _probabilities(self, function: str, pool: ScoredPool, knob: float) -> None:
        """What a function of a pool returns: a distribution over the samples of each row."""
        weight = torch.as_tensor(np.asarray(self._call(function, pool, knob)))
        rows, samples = pool.proxy_BN.shape
        if tuple(weight.shape) != (rows, samples):
            raise UserError(
                f"{self.source}: {function} returns shape {tuple(weight.shape)} for {rows} rows "
                f"with {samples} samples each; it must be {(rows, samples)}."
            )
        _finite(self.source, function, weight)
        if bool((weight < 0).any()) or not torch.allclose(
            weight.double().sum(1), torch.ones(rows, dtype=torch.float64), atol=1e-6
        ):
            raise UserError(
                f"{self.source}: {function} are probabilities, at least 0, and those of a row sum "
                "to 1; normalize each row."
            )

    def try_merge(self) -> None:
        """Weights of the same names and shapes as the initial ones."""
        initial = self._weights()
        trained = [self._weights() for _ in range(self.spec.members)]
        knob = math.sqrt(self.spec.knob.low * self.spec.knob.high)
        self._same_weights("merge", self._call("merge", initial, trained, knob), initial)

    def try_hooks(self) -> None:
        """The hooks between steps, where the method has them."""
        if not hasattr(self.module, "after_step"):
            return
        initial = self._weights()
        memory = self._call("begin", initial)
        done = self._call("after_step", memory, self._weights(), 1)
        self._expect("after_step", done, AfterStep)
        for weights in (done.weights, done.anchor):
            if weights is not None:
                self._same_weights("after_step", weights, initial)

    def _call(self, function: str, *arguments: Any) -> Any:
        with _blamed(self.source, function):
            return getattr(self.module, function)(self.config, *arguments)

    def _expect(self, function: str, value: Any, kind: type | tuple[type, ...]) -> None:
        if not isinstance(value, kind):
            kinds = kind if isinstance(kind, tuple) else (kind,)
            raise UserError(
                f"{self.source}: {function} returns a {type(value).__name__}, not a "
                f"{' or '.join(one.__name__ for one in kinds)}."
            )

    def _same_weights(self, function: str, weights: Any, initial: Mapping[str, Tensor]) -> None:
        self._expect(function, weights, Mapping)
        shapes = {name: value.shape for name, value in initial.items()}
        if {name: getattr(value, "shape", None) for name, value in weights.items()} != shapes:
            raise UserError(
                f"{self.source}: {function} returns weights of other names or shapes than the "
                "initial policy's; return one tensor for each of its names."
            )
        for value in weights.values():
            _finite(self.source, function, value)

    def _loss(self, batch: Any, shape: tuple[int, ...], item: str) -> None:
        loss = self._call("loss", batch)
        self._expect("loss", loss, Tensor)
        if tuple(loss.shape) != shape:
            what = f"{PROMPTS} {item}s" if len(shape) == 1 else f"{PROMPTS} x {SAMPLES} {item}s"
            raise UserError(
                f"{self.source}: loss returns shape {tuple(loss.shape)} for {what} of up to "
                f"{TOKENS} tokens; it must be {shape}, one loss per {item}, not averaged."
            )
        _finite(self.source, "loss", loss)
        if not loss.requires_grad:
            raise UserError(
                f"{self.source}: loss does not depend on the policy's log-probabilities, so that "
                "nothing is learned; compute it from them, without detach, item or numpy."
            )
        tensors = [value for value in batch if isinstance(value, Tensor) and value.is_leaf]
        leaves = [value for value in tensors if value.requires_grad]
        with _blamed(self.source, "the gradient of loss"):
            slopes = torch.autograd.grad(loss.mean(), leaves, allow_unused=True)
        for slope in slopes:
            if slope is not None:
                _finite(self.source, "the gradient of loss", slope)

    def _logp(self, mask: Tensor) -> Tensor:
        """Log-probabilities between -3 and -0.1 nats, 0 where the mask is 0."""
        return -(0.1 + 2.9 * torch.rand(mask.shape, generator=self._generator)) * mask

    def _mask(self, *shape: int) -> Tensor:
        """Responses of 1 to T tokens."""
        length = torch.randint(1, TOKENS + 1, shape, generator=self._generator)
        return (torch.arange(TOKENS) < length.unsqueeze(-1)).float()

    def _kl(self, mask: Tensor) -> Tensor | None:
        """KL of the next token, nats, where the method asks for it."""
        if "forward_kl" not in self._inputs:
            return None
        return (torch.rand(mask.shape, generator=self._generator) * mask).requires_grad_()

    def _outputs(self, rows: tuple[int, ...]) -> Tensor | None:
        """The method's own module on made-up hidden states, shape (*rows, T, C)."""
        if self._net is None:
            return None
        shape = (math.prod(rows), TOKENS, _STATES.layers, _STATES.width)
        states = [torch.randn(shape, generator=self._generator) for _ in range(2)]
        with _blamed(self.source, "the module of make_module"):
            output: Any = self._net(HiddenStates(*states))
        self._expect("the module of make_module", output, Tensor)
        if output.dim() != 3 or output.shape[:2] != shape[:2]:
            raise UserError(
                f"{self.source}: the module of make_module returns shape {tuple(output.shape)} for "
                f"{shape[0]} responses of {TOKENS} tokens; it must be ({shape[0]}, {TOKENS}, C)."
            )
        values: Tensor = output.view(*rows, TOKENS, -1)
        return values

    def _pair_batch(self) -> PairBatch:
        chosen, rejected = self._mask(PROMPTS), self._mask(PROMPTS)
        return PairBatch(
            self._logp(chosen).requires_grad_(),
            self._logp(rejected).requires_grad_(),
            self._logp(chosen),
            self._logp(rejected),
            chosen,
            rejected,
            self._kl(chosen),
            self._kl(rejected),
            self._outputs((PROMPTS,)),
            self._outputs((PROMPTS,)),
        )

    def _sample_batch(self) -> SampleBatch:
        mask = self._mask(PROMPTS)
        return SampleBatch(
            self._logp(mask).requires_grad_(),
            self._logp(mask),
            mask,
            self._kl(mask),
            self._outputs((PROMPTS,)),
        )

    def _rollout(self) -> Rollout:
        mask = self._mask(PROMPTS, SAMPLES)
        output = self._outputs((PROMPTS, SAMPLES))
        return Rollout(
            torch.randn((PROMPTS, SAMPLES), generator=self._generator),
            self._logp(mask),
            self._logp(mask),
            mask,
            output_BNTC=None if output is None else output.detach(),
        )

    def _weights(self) -> dict[str, Tensor]:
        shapes = {"block.weight": (4, 3), "block.bias": (4,)}
        return {
            name: torch.randn(shape, generator=self._generator) for name, shape in shapes.items()
        }
