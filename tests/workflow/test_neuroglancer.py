"""Neuroglancer itself draws the meshes of a run, in a headless browser."""

from collections.abc import Iterable

import pytest

from neuroglancer_page import (
    Request,
    chromium,
    errors,
    needed,
    neuroglancer,
    new_viewer,
    not_found,
    picture,
    serving,
)
from reading import Entry, read_entries

pytestmark = needed

COLOUR = "#00ff00"
FAR, NEAR = 20_000, 500  # width of the picture in nm


@pytest.fixture
def browser(tmp_path):
    with chromium(tmp_path / "profile") as driver:
        yield driver


def fetched_lods(entry: Entry, asked: Iterable[Request]) -> set[int]:
    """The LODs of a label from which the viewer asked for a fragment."""
    begins = {}
    position = entry.begin
    for lod, sizes in enumerate(entry.manifest.sizes):
        for size in sizes.tolist():
            begins.update({position: lod} if size else {})
            position += size
    starts = (
        int(request.span.removeprefix("bytes=").split("-")[0])
        for request in asked
        if request.path.endswith(entry.file.name) and request.span
    )
    return {begins[start] for start in starts if start in begins}


def test_draws_every_lod_of_a_label(multires, browser):
    entry = max(read_entries(multires).values(), key=lambda entry: entry.manifest.sizes[0].sum())
    top = len(entry.manifest.scales) - 1
    assert top >= 2
    viewer = new_viewer(600)
    covered = []
    with serving({"": multires.parent}) as server:
        with viewer.txn() as state:
            url = f"precomputed://http://127.0.0.1:{server.server_port}/multires"
            state.layers["meshes"] = neuroglancer.SegmentationLayer(
                source=url, segments=[entry.label], segment_colors={entry.label: COLOUR}
            )
            middle = entry.manifest.origin_nm + entry.manifest.cell_nm / 2
            state.position = middle.tolist()
            state.layout = neuroglancer.DataPanelLayout("3d", orthographic_projection=True)
            state.projection_scale = FAR
        browser.get(viewer.get_viewer_url())
        for scale in (FAR, NEAR):
            with viewer.txn() as state:
                state.projection_scale = scale
            pixels = picture(viewer)
            green = (pixels[..., 1] > 40) & (pixels[..., [0, 2]].max(axis=-1) < pixels[..., 1] / 2)
            covered.append(int(green.sum()))

    far, near = covered
    assert far > 20 and near > 5000
    assert fetched_lods(entry, server.asked) == set(range(top + 1))
    assert not_found(server) == set()
    assert errors(browser) == []
