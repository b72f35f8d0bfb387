from overopt.stats.verdicts.identities import regressional_deviation


def test_conditional_means_of_normals_follow_the_formula() -> None:
    """By quadrature, so that the deviation is that of rounding, and not 0."""
    assert 0.0 < regressional_deviation() < 1e-9
