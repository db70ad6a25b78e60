"""Neuroglancer itself opens the levels of `snakemake pyramid` as one image, each in its place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import in_process
from formats import Placed, coarser, write_zarr
from neuroglancer_page import (
    Request,
    chromium,
    errors,
    evaluated,
    needed,
    neuroglancer,
    new_viewer,
    not_found,
    picture,
    serving,
)
from running import succeeds
from snakemesh.view.state import VOLUME

pytestmark = needed

SIDE = 400  # pixels
FACTORS = ((1, 2, 2), (2, 4, 4), (4, 8, 8))
# nm per pixel at which the viewer chooses a level by itself: a voxel is then about one pixel wide.
ZOOM = {"s3": 96, "s2": 48, "s1": 16, "s0": 4}
# z y x in nm. At this place and these zooms, every pixel's centre is at least a seventh of a pixel
# away from the faces of voxels. Nearer to a face, the drawing depends on how corners are rounded.
PLACE = (1711.5, 2320.5, 3256.5)
CLOSE = {"xy": 2, "xz": 4}  # nm per pixel at which a picture just holds the whole volume
KNOWN = """
const state = viewer.layerManager.getLayerByName('volume')?.layer?.dataSources[0]?.loadState;
if (state === undefined) return null;
if (state.error !== undefined) return {error: String(state.error)};
const {coordinateSpace: space, scales} =
    state.dataSource.subsources[0].subsource.volume.multiscale;
return {
    names: [...space.names], units: [...space.units], scales: [...space.scales],
    bounds: [[...space.bounds.lowerBounds], [...space.bounds.upperBounds]],
    levels: scales.map(level => [level.url, [...level.metadata.shape], [...level.transform]]),
};
"""


@dataclass(frozen=True)
class Pyramid:
    """A group of levels.

    output: the output directory it is in. source: the volume that its s0 is a link into. url: what
    to paste, where {} stands for the server. levels: what the group must hold.
    """

    output: Path
    source: Path
    url: str
    levels: dict[str, Placed]


@pytest.fixture
def browser(tmp_path):
    with chromium(tmp_path / "profile") as driver:
        yield driver


def levels_of(s0: Placed, of: Placed) -> dict[str, Placed]:
    """s0, and every further level of the part `of` of it."""
    return {"s0": s0} | {f"s{k}": coarser(of, factor) for k, factor in enumerate(FACTORS, 1)}


@pytest.fixture
def whole(repository, config, volume, tmp_path) -> Pyramid:
    """The levels of a whole zarr v2 volume. s3 reaches half a voxel beyond its end."""
    output = tmp_path / "out"
    succeeds(repository, config(output, num_lods=4), "pyramid")
    s0 = Placed(volume.labels, volume.voxel_nm, volume.corner_nm, (32, 24, 16))
    url = "zarr://{}/_intermediate_scales.zarr"
    return Pyramid(output, volume.path, url, levels_of(s0, s0))


@pytest.fixture
def part(config, volume, tmp_path) -> Pyramid:
    """The levels of a part of a sharded zarr v3 volume: s1 does not begin where s0 does."""
    output = tmp_path / "out"
    s0 = Placed(volume.labels, volume.voxel_nm, volume.corner_nm, (32, 24, 16))
    source = write_zarr(tmp_path / "seg.zarr", [s0], version=3, sharded=True)
    roi = [[1360, 2160, 3100], [2100, 2520, 3400]]
    changes = {"input_path": source, "num_lods": 4, "roi": roi}
    in_process.build_pyramid(in_process.planned(config(str(output)) | changes))
    # the roi, moved outward to whole voxels of s3, which are 80 64 64 nm
    inside = Placed(volume.labels[16:56, 16:72, 8:56], s0.voxel_nm, (1320, 2128, 3064), s0.chunks)
    url = "{}/_intermediate_scales.zarr/|zarr3:"
    return Pyramid(output, Path(source), url, levels_of(s0, inside))


def coloured(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels of a volume, ascending, and a different colour for each; black for 0."""
    ids = np.unique(labels)
    assert ids[0] == 0 and ids.size <= 64
    colours = np.stack([60 + 60 * (np.arange(ids.size) // 4**k % 4) for k in range(3)], axis=-1)
    colours[0] = 0
    return ids, colours


def assert_known(browser, levels: dict[str, Placed]) -> None:
    """Assert that the viewer knows exactly these levels, with their sizes and places."""
    known = evaluated(browser, KNOWN)
    assert "error" not in known, known
    assert (known["names"], known["units"]) == (["z", "y", "x"], ["m"] * 3)
    unit_nm = np.array(known["scales"]) * 1e9
    s0 = levels["s0"]
    end_nm = np.add(s0.corner_nm, np.multiply(s0.labels.shape, s0.voxel_nm))
    np.testing.assert_allclose(known["bounds"] * unit_nm, [s0.corner_nm, end_nm])
    assert [Path(url).name for url, _, _ in known["levels"]] == list(levels)
    for level, (_, shape, columns) in zip(levels.values(), known["levels"], strict=True):
        assert tuple(shape) == level.labels.shape
        wanted = np.vstack([np.diag(level.voxel_nm), level.corner_nm])
        np.testing.assert_allclose(np.reshape(columns, (4, 4))[:, :3] * unit_nm, wanted)


def visible(levels: Sequence[Placed], layout: str, pixel_nm: float) -> np.ndarray:
    """The label at the centre of every pixel, 0 outside. levels: finest first.

    Where the finest level ends, the viewer shows the next one.
    """
    across = (np.arange(SIDE) + 0.5 - SIDE / 2) * pixel_nm
    points = np.tile(PLACE, (SIDE, SIDE, 1))
    points[..., 2] += across
    points[..., {"xy": 1, "xz": 0}[layout]] += across[:, None]
    labels = np.zeros((SIDE, SIDE), np.uint64)
    for level in reversed(levels):
        index = np.floor((points - level.corner_nm) / level.voxel_nm).astype(int)
        inside = ((index >= 0) & (index < level.labels.shape)).all(axis=-1)
        labels[inside] = level.labels[tuple(index[inside].T)]
    return labels


def fetched_levels(asked: Iterable[Request]) -> set[str]:
    """The levels from which the viewer asked for a chunk."""
    parts = (path.strip("/").split("/") for path, _, _ in asked)
    return {level for _, level, *key in parts if key and not key[-1].startswith((".z", "zarr."))}


@pytest.fixture(params=["whole", "part"])
def pyramid(request) -> Pyramid:
    return request.getfixturevalue(request.param)


def test_every_level_is_fetched_in_turn_and_drawn_in_its_place(pyramid, browser):
    ids, colours = coloured(pyramid.levels["s0"].labels)
    names = ["#" + bytes(colour).hex() for colour in colours.tolist()]
    viewer = new_viewer(SIDE)

    def assert_drawn(level: str, layout: str, pixel_nm: float) -> None:
        """Assert that every pixel has the colour of the label that the level has there."""
        with viewer.txn() as state:
            state.layout = layout
            state.cross_section_scale = pixel_nm
            state.layers["volume"].cross_section_render_scale = ZOOM[level] / pixel_nm
        drawn = picture(viewer)
        levels = [other for name, other in pyramid.levels.items() if name >= level]
        labels = visible(levels, layout, pixel_nm)
        assert np.unique(labels).size > 5
        wanted = colours[np.searchsorted(ids, labels)]
        np.testing.assert_array_equal(drawn, wanted, f"{level}, {layout}, {pixel_nm} nm a pixel")

    with serving({"": pyramid.output, VOLUME: pyramid.source}) as server:
        with viewer.txn() as state:
            state.layers["volume"] = neuroglancer.SegmentationLayer(
                source=pyramid.url.format(f"http://127.0.0.1:{server.server_port}"),
                segments=ids[1:].tolist(),
                segment_colors=dict(zip(ids[1:].tolist(), names[1:], strict=True)),
                selected_alpha=1,
            )
            state.position = PLACE[::-1]
            state.layout = "xy"
            state.cross_section_scale = ZOOM["s3"]
            state.cross_section_background_color = names[0]
        browser.get(viewer.get_viewer_url())
        assert_known(browser, pyramid.levels)
        for level, pixel_nm in ZOOM.items():
            assert_drawn(level, "xy", pixel_nm)
            assert fetched_levels(server.asked) == {name for name in ZOOM if name >= level}
        for layout, pixel_nm in CLOSE.items():
            for level in ZOOM:
                assert_drawn(level, layout, pixel_nm)

    # the viewer looks for the metadata of both formats
    assert not_found(server) <= {".zarray", ".zattrs", "zarr.json"}
    assert errors(browser) == []
