"""One checkpoint of somebody else's run: samples, KL from the reference, proxy and gold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from overopt.artifacts.tables import Column, write_json, write_table
from overopt.artifacts.text_rewards import open_classifier, open_own
from overopt.errors import UserError
from overopt.execution.contract import Progress
from overopt.models.hub import load_causal
from overopt.models.sampling import stop_ids
from overopt.spec.origins import ModelOrigin, ReaderOrigin
from overopt.stages.runs.rows import Draw, Rewards, measure_rows, spread, summarize
from overopt.worlds.contract import Gold
from overopt.worlds.hub.prompt_file import PromptFile

ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"


def run(params: dict[str, Any], inputs: dict[str, Path], out: Path, progress: Progress) -> None:
    """Measure a checkpoint.

    params: ``reference`` (ModelOrigin); ``policy`` (ModelOrigin, or None for the reference);
    ``step``; ``prompts`` (path and digest); ``template``; ``max_new_tokens``; ``samples``;
    ``seed``; ``proxy`` and ``gold``: ``{"classifier": ReaderOrigin}``, ``{"file": name}`` of an
    input, or None for gold.
    """
    origin = ModelOrigin.model_validate(params["reference"])
    world = PromptFile(
        origin, params["prompts"]["path"], params["template"], int(params["max_new_tokens"])
    )
    progress(0.0, "loading")
    reference = load_causal(origin, world.stop_ids)
    suppressed = world.folder.generation.get("suppress_tokens")
    policy = reference
    if params["policy"] is not None:
        policy = _load_policy(ModelOrigin.model_validate(params["policy"]), origin, world)
    for model in (reference, policy):
        _suppress(model, suppressed)
    proxy = _open(params["proxy"], world, inputs, "proxy")
    assert proxy is not None, "there is always a proxy"
    rewards = Rewards(proxy, _open(params["gold"], world, inputs, "gold"))
    step = int(params["step"])
    draw = Draw(int(params["samples"]), int(params["max_new_tokens"]), int(params["seed"]))
    progress(0.1, "sampling")
    rows = measure_rows(policy, reference, world.heldout_prompts, rewards, draw, step)
    write_json(
        out / "point.json", {**summarize(rows, step, tuple(stop_ids(policy))), **spread(rows)}
    )
    shape = rows.kl_rb_BN.shape
    columns: dict[str, Column] = {
        "prompt_id": np.repeat(np.arange(shape[0], dtype=np.int32), shape[1]),
        "sample_id": np.tile(np.arange(shape[1], dtype=np.int32), shape[0]),
        "response": rows.responses,
        "kl_rb": rows.kl_rb_BN.ravel(),
        "log_ratio": rows.log_ratio_BN.ravel(),
        "entropy": rows.entropy_BN.ravel(),
        "proxy": rows.proxy_BN.ravel(),
    }
    if rows.gold_BN is not None:
        columns["gold"] = rows.gold_BN.ravel()
    write_table(out / "samples.parquet", columns)


def _load_policy(origin: ModelOrigin, reference: ModelOrigin, world: PromptFile) -> PreTrainedModel:
    """The checkpoint; adapters are merged into the reference."""
    folder = Path(origin.path or "")
    if origin.path is not None and (folder / ADAPTER).is_file():
        return _merge(folder, load_causal(reference, world.stop_ids))
    policy = load_causal(origin, world.stop_ids)
    ours, theirs = world.folder.config.get("vocab_size"), policy.config.vocab_size
    if ours != theirs:
        raise UserError(
            f"checkpoint {origin.shown} has {theirs} tokens and its reference {ours}; give the "
            "model that training started from as --reference"
        )
    return policy


def _merge(folder: Path, model: PreTrainedModel) -> PreTrainedModel:
    """A model with the LoRA weights of a folder added to its own."""
    try:
        from peft import PeftModel
    except ImportError as error:
        raise UserError(
            f"checkpoint {folder} holds adapters; install overopt[peft] to merge them, or save the "
            "merged model"
        ) from error
    kind = json.loads((folder / ADAPTER).read_text(encoding="utf-8")).get("peft_type")
    if kind != "LORA" or not (folder / ADAPTER_WEIGHTS).is_file():
        raise UserError(
            f"checkpoint {folder} holds adapters of kind {kind}; LoRA in {ADAPTER_WEIGHTS} can be "
            "merged, so save the merged model of others"
        )
    settings = model.generation_config
    try:
        merged: PreTrainedModel = PeftModel.from_pretrained(
            model, folder, use_safetensors=True
        ).merge_and_unload()
    except (ValueError, KeyError, RuntimeError, TypeError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"checkpoint {folder}: its adapters do not fit: {first}") from error
    merged.generation_config = settings
    merged.eval()
    return merged


def _suppress(model: PreTrainedModel, suppressed: object) -> None:
    """Never emit what the reference's own settings suppress: that is part of the policy."""
    if isinstance(suppressed, list) and all(isinstance(one, int) for one in suppressed):
        settings: Any = model.generation_config
        settings.suppress_tokens = suppressed


def _open(
    given: dict[str, Any] | None, world: PromptFile, inputs: dict[str, Path], role: str
) -> Gold | None:
    if given is None:
        return None
    if "file" in given:
        return open_own(str(inputs[given["file"]]), world, role)
    return open_classifier(ReaderOrigin.model_validate(given["classifier"]), world, role)
