"""Taubin's filter: by how much each pass of smoothing moves a vertex.

A sweep is a pass that shrinks and one that expands a little more (Taubin 1995, "A signal processing
approach to fair surface design"). If a wave in the surface differs from its neighbours by K times
its height on average, a pass of step s leaves 1 - s K of it. Several passes leave the product, so
fewer passes with other steps can do nearly the same, in less time and with a narrower halo.
"""

# 1 / SHRINK + 1 / EXPAND = PASS_BAND: waves with a lower K are kept.
PASS_BAND = 0.1
SHRINK = 0.63
EXPAND = 1.0 / (PASS_BAND - 1.0 / SHRINK)
# By sweeps: the steps of fewer passes that leave the same of every wave, within 0.02 of its height.
# In this order no wave grows beyond 1.7 times its height in between.
_FEWER = {2: (0.6171, -1.5261, 0.6171), 5: (0.5415, -2.4602, 0.6715, 0.8223)}


def pass_steps(n_sweeps: int) -> tuple[float, ...]:
    """How far each pass moves a vertex, as a part of the mean difference to its neighbours."""
    return _FEWER.get(n_sweeps, (SHRINK, EXPAND) * n_sweeps)
