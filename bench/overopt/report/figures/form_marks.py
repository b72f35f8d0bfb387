"""How the two forms of Gao et al. are drawn and named wherever they appear."""

from overopt.report.figures.style import COLORS, Mark
from overopt.stats.fits.forms import Form

FORM_MARKS = {Form.BON: Mark(COLORS[0], ""), Form.RL: Mark(COLORS[1], "")}


FORM_NAMES = {Form.BON: "best-of-n form d (a − b d)", Form.RL: "RL form d (a − b log d)"}
