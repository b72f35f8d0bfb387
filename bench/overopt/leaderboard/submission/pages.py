"""Pages: the samples of one cell as safetensors.

Why safetensors: a header of JSON and then the numbers as they are. Nothing is compressed, so that a
file is never larger in memory than on the disk; nothing is executed; and the header follows
from the number of rows, tokens, prompts and points that the document states, so that it is compared
and not believed. Parquet has codecs, dictionaries and nested encodings that a small file can blow
up with, and JSON Lines round-trips numbers through text at five times the size.

Tensors of R samples, W tokens, K points and B prompts:

- ``point`` int32 (R,): data row of ``points.csv``, from 0; rows of a point stand together;
- ``prompt_id`` int32 (R,), ``sample_id`` int32 (R,): prompt-major, N samples for every prompt;
- ``length`` int32 (R,): tokens of the response; ``ids`` int32 (W,): all responses end to end;
- ``reference_logp`` float64 (R,): log-probability of the response under the initial policy, nats;
- ``gold`` float64 (R,): raw gold; ``proxy`` float64 (R,): reward of the system, not recentered;
- ``measured`` int32 (K,): the points of the K rows below, the initial policy's first;
- ``prompt_gold``, ``prompt_proxy`` float64 (K, B): mean gold and proxy of each prompt, in the units
  of ``points.csv``; exact or weighted where the world lists responses or the method reweights;
- ``prompt_kl`` float64 (K, B): KL of the policy of each prompt on the axis of ``points.csv``, nats;
- with log-probabilities of the policy: ``policy_logp`` float64 (R,), ``kl_rb`` float64 (R,), the
  Rao-Blackwellized KL along the sample, and ``entropy`` float64 (R,), nats.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from overopt.errors import UserError
from overopt.leaderboard.submission.parts import Page
from overopt.spec.documents import LARGEST_NUMBER, parse_json
from overopt.worlds.tokens import Tokens

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int32]

_INTEGERS = ("point", "prompt_id", "sample_id", "length")
_FLOATS = ("reference_logp", "gold", "proxy")
_OF_POLICY = ("policy_logp", "kl_rb", "entropy")
_OF_PROMPTS = ("prompt_gold", "prompt_proxy", "prompt_kl")
_LARGEST_HEADER_BYTES = 8 << 10
_SIZES = {"I32": 4, "F64": 8}


class Samples(NamedTuple):
    """What a page holds; see the module's text for shapes and units.

    policy_logp, kl_rb, entropy: empty, (0,), where the policy does not say how likely samples are.
    """

    point: Integers
    prompt_id: Integers
    sample_id: Integers
    responses: Tokens
    reference_logp: Floats
    gold: Floats
    proxy: Floats
    measured_K: Integers
    prompt_gold_KB: Floats
    prompt_proxy_KB: Floats
    prompt_kl_KB: Floats
    policy_logp: Floats
    kl_rb: Floats
    entropy: Floats

    @property
    def points(self) -> list[int]:
        """Data rows of ``points.csv`` with samples, in the order of the page."""
        return list(dict.fromkeys(self.point.tolist()))


def layout(page: Page) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Type and shape of every tensor that a page of these counts has."""
    rows, by_prompt = (page.rows,), (page.points, page.prompts)
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {name: ("I32", rows) for name in _INTEGERS}
    shapes |= {"ids": ("I32", (page.tokens,)), "measured": ("I32", (page.points,))}
    shapes |= {name: ("F64", rows) for name in _FLOATS}
    shapes |= {name: ("F64", by_prompt) for name in _OF_PROMPTS}
    if page.policy_logp:
        shapes |= {name: ("F64", rows) for name in _OF_POLICY}
    return shapes


def dump_page(samples: Samples) -> bytes:
    """The bytes of a page."""
    columns: dict[str, npt.NDArray[np.generic]] = {
        "point": samples.point,
        "prompt_id": samples.prompt_id,
        "sample_id": samples.sample_id,
        "length": samples.responses.length_N,
        "ids": samples.responses.flat(),
        "reference_logp": samples.reference_logp,
        "gold": samples.gold,
        "proxy": samples.proxy,
        "measured": samples.measured_K,
        "prompt_gold": samples.prompt_gold_KB,
        "prompt_proxy": samples.prompt_proxy_KB,
        "prompt_kl": samples.prompt_kl_KB,
    }
    if len(samples.policy_logp):
        columns |= {name: getattr(samples, name) for name in _OF_POLICY}
    for name, column in columns.items():
        if not np.isfinite(column).all():
            raise FloatingPointError(f"{name} holds NaN or infinity")
    return bytes(save({name: np.ascontiguousarray(one) for name, one in columns.items()}))


def parse_page(content: bytes, page: Page, where: str) -> Samples:
    """The samples of a page, of exactly the counts that the document states.

    Args:
        content: of the file.
        page: what the document says of it.
        where: its name, for messages.

    Raises:
        UserError: a tensor is missing, unknown, of another type or shape, or holds what it must
            not; with its name.
    """
    _check_header(content, page, where)
    try:
        tensors = load(content)
    except (SafetensorError, ValueError) as error:
        raise UserError(f"{where} is no safetensors file: {error}.") from error
    for name, tensor in tensors.items():
        if tensor.dtype.kind == "f" and not (np.abs(tensor) <= LARGEST_NUMBER).all():
            raise UserError(
                f"{where}: {name} holds what is no finite number within {LARGEST_NUMBER:g}."
            )
    length_N = tensors["length"]
    if length_N.min() < 0 or int(length_N.sum(dtype=np.int64)) != page.tokens:
        raise UserError(f"{where}: length does not add up to the {page.tokens} tokens of ids.")
    if int(length_N.max()) * page.rows > 2 * page.tokens + (1 << 18):
        # padded to the longest, so that one long response must not multiply all others
        raise UserError(f"{where}: length holds a response far longer than the others.")
    for name in ("point", "prompt_id", "sample_id", "ids", "measured"):
        if tensors[name].min() < 0:
            raise UserError(f"{where}: {name} holds a negative number.")
    empty = np.zeros(0)
    return Samples(
        point=tensors["point"],
        prompt_id=tensors["prompt_id"],
        sample_id=tensors["sample_id"],
        responses=Tokens.from_flat(tensors["ids"], length_N),
        reference_logp=tensors["reference_logp"],
        gold=tensors["gold"],
        proxy=tensors["proxy"],
        measured_K=tensors["measured"],
        prompt_gold_KB=tensors["prompt_gold"],
        prompt_proxy_KB=tensors["prompt_proxy"],
        prompt_kl_KB=tensors["prompt_kl"],
        **{name: tensors.get(name, empty) for name in _OF_POLICY},
    )


def _check_header(content: bytes, page: Page, where: str) -> None:
    """Compare the header with what the document's counts make it, before anything is read."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(_LARGEST_HEADER_BYTES, len(content) - 8):
        raise UserError(f"{where} is no page: its header is missing or too long.")
    try:
        header = parse_json(content[8 : 8 + size])
    except ValueError as error:
        raise UserError(f"{where}: its header is not JSON: {error}.") from error
    wanted = layout(page)
    if not isinstance(header, dict) or set(header) != set(wanted):
        strange = sorted(set(header) ^ set(wanted)) if isinstance(header, dict) else []
        told = f"the tensor {json.dumps(strange[0][:60])}" if strange else "its tensors"
        raise UserError(
            f"{where}: {told} is missing or unknown; a page has {', '.join(wanted)}, no more."
        )
    spans = []
    for name, (kind, shape) in wanted.items():
        told = header[name]
        if not isinstance(told, dict) or set(told) != {"dtype", "shape", "data_offsets"}:
            raise UserError(f"{where}: the header of {name} is damaged.")
        if told["dtype"] != kind or told["shape"] != list(shape):
            raise UserError(
                f"{where}: {name} must be {kind} of shape {list(shape)}, as submission.json says."
            )
        span = told["data_offsets"]
        if not (isinstance(span, list) and len(span) == 2 and all(type(at) is int for at in span)):
            raise UserError(f"{where}: data_offsets of {name} are damaged.")
        if span[1] - span[0] != _SIZES[kind] * int(np.prod(shape, dtype=np.int64)):
            raise UserError(f"{where}: data_offsets of {name} do not fit its shape.")
        spans.append((span[0], span[1]))
    at = 0
    for start, end in sorted(spans):
        if start != at:
            raise UserError(f"{where}: data_offsets overlap or leave gaps.")
        at = end
    if at != len(content) - 8 - size:
        raise UserError(f"{where}: data_offsets do not end where the file ends.")
