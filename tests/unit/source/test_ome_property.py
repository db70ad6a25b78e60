"""Any OME-NGFF multiscales: each level lies where the specification says, or a line refuses it.

The specification is implemented a second time in `ngff_oracle`, which also decides what is rightly
refused: a reader that refuses everything fails here, too.
"""

import os

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from by_hand import ABSENT, json_file, ome_group, sequence, zarr2_document, zarr3_document
from ngff_oracle import LENGTHS, Refusal, placement
from snakemesh.errors import UserError
from snakemesh.source.bounds import MAX_POSITION_NM
from source_reading import read_source

# Of time and of nothing: no such unit is a length.
NO_LENGTHS = ("second", "pixel", "voxel", "px", " ", "a.u.", "degree", "micrometer^2")
SIZES_NM = (0.5, 1.0, 4.0, 5.24, 8.0, 31.5, 40.0, 650.0)
OFFSETS_NM = (0.0, -0.25, 4.0, 1004.0, -31.5, 12_345.625, 1e9)
PATHS = (("0", "1", "2"), ("s0", "s1", "s2"), ("./s0", "./s1", "./s2"), ("a/b/s0", "a/b/s1", "c"))
OTHER = {"t": "time", "c": "channel", "angle": "custom", "T": "time", "C": "channel"}


@st.composite
def axes_of_volumes(draw):
    """The axes of a volume of 1 to 5 axes in any order, mostly three of space."""
    names = draw(
        st.sampled_from([("z", "y", "x")] * 4 + [("Z", "Y", "X"), ("row", "col", "slice")])
    )
    names = names[: draw(st.sampled_from([3] * 9 + [2, 1]))]
    unit = st.sampled_from([*LENGTHS, *["nanometer", "micrometer", None] * 4])
    axes = []
    for name in names:
        axis = {"name": name, "type": "space", "unit": draw(unit)}
        if draw(st.integers(0, 60)) == 0:
            axis["unit"] = draw(st.sampled_from(NO_LENGTHS))
        axes.append({key: value for key, value in axis.items() if value is not None})
    if names[0] in "zZ" and draw(st.integers(0, 9)) == 0:
        for axis in axes:
            del axis["type"]
    for name in draw(st.lists(st.sampled_from([*OTHER]), max_size=2, unique_by=str.lower)):
        axis = {"name": name, "type": OTHER[name]}
        if draw(st.booleans()):
            axis["unit"] = draw(st.sampled_from(["second", "pixel"]))
        axes.append(axis)
    # as the specification asks for, or as others write
    if draw(st.booleans()):
        return [*axes[len(names) :], *axes[: len(names)]]
    return draw(st.permutations(axes))


@st.composite
def listed(draw, axes, step, is_scaled=True, depth=0):
    """Transformations, one after the other. step: the factor of the level."""

    def vector(values):
        units = [float(LENGTHS.get(axis.get("unit"), 1)) for axis in axes]
        is_space = [axis["name"].lower() not in ("t", "c", "angle") for axis in axes]
        return [
            draw(st.sampled_from(values)) / unit if inside else draw(st.sampled_from([1.0, 0.5]))
            for unit, inside in zip(units, is_space, strict=True)
        ]

    scale = {"type": "scale", "scale": [step * v for v in vector(SIZES_NM)]}
    move = {"type": "translation", "translation": vector(OFFSETS_NM)}
    matrix = [
        [0] * i + [s] + [0] * (len(axes) - i - 1) + [t]
        for i, (s, t) in enumerate(zip(scale["scale"], move["translation"], strict=True))
    ]
    affine = {"type": "affine", "affine": matrix}
    one = {"type": "identity"}
    if not is_scaled:  # the multiscales' own: relative to what its datasets say
        scale["scale"] = [draw(st.sampled_from([1, 1.0, 2, 0.5])) for _ in axes]
        return draw(
            st.sampled_from([[], [], [scale], [scale, move], [move], [one], [sequence(scale)]])
        )
    plain = [[scale], [scale, move]]
    odd = [[affine], [one, scale], [move, scale], [scale, move, move], [scale, scale], [], [move]]
    if depth < 2:
        inner = draw(listed(axes, step, depth=depth + 1))
        odd += [[sequence(*inner)], [one, *inner], [one]]
    return draw(st.sampled_from(plain * 2 + odd))


@st.composite
def turned(draw, axes, transformations):
    """The transformations, and now and then one among them that no reader may drop."""
    n = len(axes)
    if n == 1 or draw(st.integers(0, 7)):
        return transformations
    swapped = [n - 1, *range(1, n - 1), 0]
    turn = [[float(j == k) for j in range(n)] for k in swapped]
    at = draw(st.sampled_from([(i, j) for i in range(n) for j in range(n) if i != j]))
    sheared = [[float(i == j) + 0.5 * ((i, j) == at) for j in range(n)] for i in range(n)]
    kinds = (
        {"type": "rotation", "rotation": turn},
        {"type": "mapAxis", "mapAxis": swapped},
        {
            "type": "mapAxis",
            "mapAxis": {a["name"]: axes[k]["name"] for a, k in zip(axes, swapped, strict=True)},
        },
        {"type": "affine", "affine": [[*row, 0.0] for row in sheared]},
        {"type": "byDimension", "transformations": []},
        {"type": "displacements", "path": "field"},
        {"type": "scale", "path": "scales"},
        {"type": "of tomorrow"},
    )
    one = draw(st.sampled_from(kinds))
    if draw(st.booleans()):
        one = sequence(one)
    return draw(st.permutations([*transformations, one]))


@st.composite
def volumes(draw):
    """A volume: its version, axes, shape, chunks, datasets and the multiscales' own part."""
    axes = draw(axes_of_volumes())
    version = draw(st.sampled_from(["0.4", "0.5", "0.6.dev2", "0.6rc0"]))
    spatial = [axis["name"].lower() not in ("t", "c", "angle") for axis in axes]
    lengths = [st.integers(8, 40) if s else st.sampled_from([1, 1, 1, 3]) for s in spatial]
    shape = [draw(length) for length in lengths]
    chunks = [draw(st.integers(1, n)) for n in shape]
    first = draw(turned(axes, draw(listed(axes, 1))))
    paths = draw(st.sampled_from(PATHS))[: draw(st.integers(1, 3))]
    datasets = [(path, [*first, *_coarser(len(axes), 2**k)]) for k, path in enumerate(paths)]
    common = []
    if version < "0.6":
        common = draw(turned(axes, draw(listed(axes, 1, is_scaled=False))))
    index = {
        axis["name"]: draw(st.integers(0, n - 1))
        for axis, n, s in zip(axes, shape, spatial, strict=True)
        if not s and n > 1 and draw(st.integers(0, 4))
    }
    return version, axes, shape, chunks, datasets, common, index


def _coarser(n_axes, step):
    return [] if step == 1 else [{"type": "scale", "scale": [float(step)] * n_axes}]


def write(group, version, axes, shape, chunks, datasets, common):
    """The documents of a volume, without chunks."""
    for path, _ in datasets:
        if version == "0.4":
            json_file(group / path / ".zarray", zarr2_document(shape, chunks, "<u4"))
        else:
            json_file(group / path / "zarr.json", zarr3_document(shape, chunks, "uint32"))
    more = {"coordinateTransformations": common} if common else {}
    if version < "0.6":
        ome_group(group, dict(datasets), axes, version, **more)
    else:
        systems = [{"name": "physical", "axes": axes}]
        inside = {path: [_between(version, path, found)] for path, found in datasets}
        ome_group(group, inside, ABSENT, version, coordinateSystems=systems)


def _between(version, path, transformations):
    """One transformation of 0.6, from an array to the physical system."""
    names = {"input": {"path": path}, "output": {"name": "physical"}}
    if version == "0.6.dev2":
        names = {"input": path, "output": "physical"}
    only = transformations[0] if len(transformations) == 1 else sequence(*transformations)
    return names | only


@settings(max_examples=500, deadline=None)
@given(volumes())
def test_a_volume_lies_where_the_specification_says(tmp_path_factory, volume):
    *described, index = volume
    _, axes, shape, chunks, datasets, common = described
    group = tmp_path_factory.mktemp("any") / "seg.zarr"
    write(group, *described)
    options = {"index": index} if index else {}
    one_level = str(group / datasets[0][0])

    def judged(own):
        return placement(axes, shape, chunks, [*own, *common], index)

    try:
        expected = [judged(datasets[0][1])]
    except Refusal as why:
        event(f"refused: {why}")
        for path in (str(group), one_level):
            with pytest.raises(UserError, match="^config key [^\n]*$"):
                read_source(path, **options)
        return
    event(f"placed: {len(axes)} axes")
    for _, own in datasets[1:]:
        try:
            expected.append(judged(own))
        except Refusal:  # a voxel of more than a metre: a level that is not used, and says why
            expected.append(None)
    if any(
        max(map(abs, right.centre_nm)) > MAX_POSITION_NM for right in expected if right is not None
    ):
        event("refused: a coarser level is too far away")
        with pytest.raises(UserError, match="^config key translation_nm: [^\n]*$"):
            read_source(str(group), **options)
        return
    found = read_source(str(group), **options)
    assert [os.path.normpath(level.path) for level in found] == [
        os.path.normpath(group / path) for path, _ in datasets
    ]
    for level, right in zip(found, expected, strict=True):
        assert bool(level.unusable) == (right is None)
        if right is None:
            continue
        assert (level.shape, level.chunks, level.dtype) == (right.shape, right.chunks, "uint32")
        assert level.voxel_size == pytest.approx(right.voxel_nm, rel=1e-9)
        assert level.translation == pytest.approx(right.centre_nm, rel=1e-9, abs=1e-9)
    # the same by the path of one level
    assert [level.translation for level in read_source(one_level, **options)] == [
        found[0].translation
    ]
