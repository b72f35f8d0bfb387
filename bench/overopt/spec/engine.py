"""What trains: one policy at a time, many in a stack, or the same methods in TRL's trainers."""

from typing import Literal

Engine = Literal["native", "stacked", "trl"]
