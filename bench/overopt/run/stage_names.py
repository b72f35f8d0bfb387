"""Where the makers lie."""

STAGES = "overopt.stages"
"""The package of the makers; a stage is named after its module there."""
