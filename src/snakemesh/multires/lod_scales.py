"""When the viewer shows an LOD: the scale of each LOD of each label, from the LOD's error.

The viewer shows LOD k of a cell where its scale is at most `pixelSize`, which is half a pixel of
the screen: it divides the width of clip space by that of the viewport in pixels as if clip space
were 1 unit wide, and it is 2 (getDesiredMultiscaleMeshChunks in src/mesh/multiscale.ts of
Neuroglancer). So with the error as the scale, an LOD appears where its error is half a pixel.
"""

import numpy as np

# The scale of an LOD that has no error, in voxels of s0: a scale of 0 means that there is no LOD.
LEAST_SCALE = 2.0**-10


def lod_errors(
    squares: np.ndarray, areas: np.ndarray, group: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """The error of each LOD of each label: root mean square, nm, float64 of shape (labels, lods).

    squares: mean square error of each fragment, nm^2, shape (n,). areas: of the fragments. group:
    label * lods + lod of each. shape: (labels, lods). NaN where an LOD has no area. Fragments must
    come in an order that depends on nothing but them, since floating point sums do on the order.
    """
    weighted, area = (
        np.bincount(group, weights=values, minlength=shape[0] * shape[1])
        for values in (squares * areas, areas)
    )
    errors = np.full(len(area), np.nan)
    np.divide(weighted, area, out=errors, where=area > 0)
    roots: np.ndarray = np.sqrt(errors).reshape(shape)
    return roots


def lod_scales(errors: np.ndarray) -> np.ndarray:
    """The scale of each LOD of each label: float32 of the shape of `errors`, (labels, lods).

    errors: in units of the scales; NaN where an LOD has no geometry. Scales are positive and grow
    strictly, or the viewer skips an LOD. So an LOD with a smaller error than the one before appears
    where that does. One without geometry appears where the next one does: it is never drawn alone.
    """
    scales: np.ndarray = np.maximum(errors, LEAST_SCALE).astype(np.float32)
    for lod in range(scales.shape[1] - 2, -1, -1):
        scales[:, lod] = np.where(np.isnan(scales[:, lod]), scales[:, lod + 1], scales[:, lod])
    scales[np.isnan(scales)] = LEAST_SCALE
    for lod in range(1, scales.shape[1]):
        above = np.nextafter(scales[:, lod - 1], np.float32(np.inf))
        scales[:, lod] = np.maximum(scales[:, lod], above)
    return scales
