from overopt.proxies.contract.refits import Refit
from overopt.proxies.online_rm import Config, refit


def test_settings_say_when_and_on_how_much() -> None:
    assert refit(Config(every=7, pairs=5)) == Refit(every=7, pairs=5)
