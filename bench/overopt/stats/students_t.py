"""Student's t: how wide an interval is, and when too few values stand behind it."""

from scipy.special import stdtrit

EXPLORATORY_BELOW = 5  # fewer independent values than this is labeled exploratory


def t_half_width(se: float, df: float, level: float) -> float:
    """Half width of a two-sided t interval: se times the (1 + level)/2 quantile with df.

    An se of 0 gives 0 whatever the df, so that a mean of equal numbers may have infinitely many.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    return float(stdtrit(df, 0.5 + 0.5 * level)) * se if se > 0.0 else 0.0
