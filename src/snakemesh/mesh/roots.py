"""Groups of things that are joined (union-find): each points at another, and the root at itself."""

from snakemesh.kernels.compiled import njit


@njit(cache=True, nogil=True, allocates=False)
def root_of(roots, i):
    """The root of the group of thing i. roots: (N,) integers; ways to a root become shorter."""
    while roots[i] != i:
        roots[i] = roots[roots[i]]
        i = roots[i]
    return i
