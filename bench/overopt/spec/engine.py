"""What trains: the engines of this package, or the same methods inside TRL's trainers."""

from typing import Literal

Engine = Literal["native", "trl"]
