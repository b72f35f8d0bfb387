"""A reward-side system that scores steps, as the text of a user's own file."""

OWN = '''"""Mine: the mean of the steps' log-odds.

Paper: nobody 2026.
Deviations: none.
"""
from dataclasses import dataclass
from overopt.spec.declare import param

STEP_SCORES = True
LABELS = ("steps",)

@dataclass(frozen=True)
class Config:
    members: int = param(1, help="reward models", at_least=1)

def reduce(config, step_NT, mask_NT):
    return (step_NT * mask_NT).sum(axis=1) / mask_NT.sum(axis=1)
'''

TASK = """summary = "A very small arithmetic task of the tests"
gold = "rule"
kl_grid_nats = [0.02, 0.05]

[world]
kind = "arithmetic"
seed = 0
train_prompts = 64
heldout_prompts = 8

[policy]
examples = 512
[policy.architecture]
layers = 1
width = 16
heads = 2
[policy.training]
learning_rate = 1e-2
batch_size = 64
epochs = 2

[proxy]
comparisons = 64
calibration_samples = 64
[proxy.training]
learning_rate = 1e-2
batch_size = 32
epochs = 2

[pairs]
learning_rate = 1e-3
batch_size = 32
max_steps = 4
warmup_steps = 1

[rollout]
learning_rate = 3e-3
prompts_per_step = 4
samples_per_prompt = 4
max_steps = 4
warmup_steps = 1

[evaluation]
samples_per_prompt = 4
pool_samples_per_prompt = 32
annealed_per_prompt = 4
"""
