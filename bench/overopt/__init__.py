"""Overopt: a synthetic benchmark of reward-model overoptimization.

The tree shows the way data flows: a task (``spec``, ``catalog``) names a world (``worlds``),
models live in it (``models``), stages make one artifact each (``stages``), methods and proxies
are pure mathematics (``methods``, ``proxies``) that an engine drives (``engines``), ``run`` plans
and executes, ``report`` reads results only.
"""

__version__ = "0.1.0"
