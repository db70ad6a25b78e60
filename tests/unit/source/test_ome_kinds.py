"""OME-NGFF as tools and people write it: placed as they mean it, or refused in a line that helps.

`test_ome_property` throws any legal metadata. Here are those of public reports, legal or not.
"""

import numpy as np
import pytest

from by_hand import (
    ABSENT,
    json_file,
    ome_group,
    scale,
    sequence,
    space,
    translation,
    write_zarr2,
    zarr2_document,
    zarr3_document,
)
from in_process import planned
from snakemesh.errors import UserError
from source_reading import placements, read_source, voxels

LABELS = np.arange(1, 10 * 12 * 14 + 1, dtype=np.uint32).reshape(10, 12, 14)
PLACE = [scale(20, 8, 8), translation(110, 104, 204)]
AFFINE = {"type": "affine", "affine": [[20, 0, 0, 110], [0, 8, 0, 104], [0, 0, 8, 204]]}
SHIFT = {"type": "affine", "affine": [[1, 0, 0, 110], [0, 1, 0, 104], [0, 0, 1, 204]]}
ROTATION = {"type": "rotation", "rotation": [[0, 1, 0], [1, 0, 0], [0, 0, 1]]}
SHEAR = {"type": "affine", "affine": [[20, 1, 0, 0], [0, 8, 0, 0], [0, 0, 8, 0]]}
MAP_AXIS = {"type": "mapAxis", "mapAxis": [1, 0, 2]}
ASKS = "^config key voxel_size_nm: [^\n]*$"


def array(path, shape=LABELS.shape, dtype="<u4", **changes):
    json_file(path / ".zarray", zarr2_document(shape, [4] * len(shape), dtype, **changes))


def group_of(path, transformations, axes=None, name="s0", **more):
    """A group of one array of LABELS' shape, without chunks."""
    array(path / str(name))
    return ome_group(path, {name: transformations}, axes, **more)


def placed(path, **options):
    (found,) = placements(path, **options)
    return found


# -- transformations --------------------------------------------------------------------------

WHOLE = ((20, 8, 8), (110, 104, 204))
COMMON = "coordinateTransformations"
PLACED = {
    "sequence in a dataset": ([sequence(*PLACE)], None),
    "sequence in a sequence": ([sequence(sequence(scale(20, 8, 8)), *PLACE[1:])], None),
    "affine in a dataset": ([AFFINE], None),
    "identity before": ([{"type": "identity"}, *PLACE], None),
    "sequence in the multiscales": (
        [scale(10, 4, 4)],
        [sequence(scale(2, 2, 2), *PLACE[1:])],
    ),
    "affine in the multiscales": ([scale(20, 8, 8)], [SHIFT]),
    "size in the multiscales alone": ([{"type": "identity"}], PLACE),
    "translation before scale": ([translation(5.5, 13, 25.5), scale(20, 8, 8)], None),
}


@pytest.mark.parametrize("name", PLACED)
def test_what_only_scales_and_moves_is_applied(name, tmp_path):
    own, common = PLACED[name]
    path = group_of(tmp_path, own, **({COMMON: common} if common else {}))
    assert placed(path) == WHOLE
    assert placed(f"{path}/s0") == WHOLE


TURNED = {
    "rotation": [ROTATION],
    "mapAxis": [MAP_AXIS],
    "affine": [SHEAR],
    "byDimension": [{"type": "byDimension", "transformations": []}],
    "displacements": [{"type": "displacements", "path": "field"}],
}


@pytest.mark.parametrize("where", ["dataset", "sequence", "multiscales"])
@pytest.mark.parametrize("name", TURNED)
def test_what_turns_is_refused_by_its_name(name, where, tmp_path):
    own, common = [scale(20, 8, 8), *TURNED[name]], []
    if where == "sequence":
        own = [sequence(*own)]
    if where == "multiscales":
        own, common = own[:1], own[1:]
    path = group_of(tmp_path, own, **({COMMON: common} if common else {}))
    for given in (path, f"{path}/s0"):
        with pytest.raises(UserError, match=f"^config key input_path: [^\n]*{name}[^\n]*$"):
            read_source(given)
        # the way out
        assert placed(given, voxel_size_nm=(20, 8, 8)) == ((20, 8, 8), (10, 4, 4))


def test_numbers_of_another_dimension_are_refused(tmp_path):
    for wrong in (scale(8, 8), scale(1, 8, 8, 8), {"type": "scale", "scale": [8, 8, None]}):
        with pytest.raises(UserError, match="^config key [^\n]*$"):
            read_source(group_of(tmp_path, [wrong]))


NO_SIZE = {
    "0.4 without": ("0.4", space(), ABSENT),
    "0.4, an empty list": ("0.4", space(), []),
    "0.4, a translation": ("0.4", space(), [translation(110, 104, 204)]),
    "0.4, identity": ("0.4", space(), [{"type": "identity"}]),
    "0.3": ("0.3", ["z", "y", "x"], ABSENT),
    "0.2": ("0.2", ABSENT, ABSENT),
    "0.1": ("0.1", ABSENT, ABSENT),
}


@pytest.mark.parametrize("name", NO_SIZE)
def test_no_size_is_no_nanometre(name, tmp_path):
    version, axes, transformations = NO_SIZE[name]
    array(tmp_path / "0")
    dataset = {"path": "0", COMMON: transformations}
    entry = {"version": version, "axes": axes, "datasets": [without_absent(dataset)]}
    json_file(tmp_path / ".zgroup", {"zarr_format": 2})
    json_file(tmp_path / ".zattrs", {"multiscales": [without_absent(entry)]})
    with pytest.raises(UserError, match=ASKS):
        read_source(str(tmp_path))
    assert placed(str(tmp_path), voxel_size_nm=(20, 8, 8)) == ((20, 8, 8), (10, 4, 4))


def without_absent(document):
    return {key: value for key, value in document.items() if value is not ABSENT}


# -- coordinate systems of 0.6 ----------------------------------------------------------------


def write_06(path, own, systems, common=None, output="physical", is_object=True):
    """A group of 0.6. is_object: names of systems as 0.6rc0 writes them, or as 0.6.dev did."""
    json_file(path / "s0/zarr.json", zarr3_document(LABELS.shape, [4] * 3, "uint32"))
    names = {"input": {"path": "s0"}, "output": {"name": output}}
    names = names if is_object else {"input": "s0", "output": output}
    listed = [{"name": name, "axes": space()} for name in systems]
    more = {COMMON: common} if common else {}
    ome_group(path, {"s0": [own | names]}, ABSENT, "0.6rc0", coordinateSystems=listed, **more)
    return str(path)


@pytest.mark.parametrize("is_object", [True, False])
@pytest.mark.parametrize("own", [sequence(*PLACE), AFFINE])
def test_one_coordinate_system(own, is_object, tmp_path):
    assert placed(write_06(tmp_path, own, ["physical"], is_object=is_object)) == WHOLE


@pytest.mark.parametrize(
    "own",
    [ROTATION, SHEAR, MAP_AXIS, sequence(scale(20, 8, 8), ROTATION), ROTATION | {"path": "r"}],
)
def test_a_turned_coordinate_system_is_refused(own, tmp_path):
    kind = own.get("transformations", [own])[-1]["type"]
    with pytest.raises(UserError, match=f"^config key input_path: [^\n]*{kind}[^\n]*$"):
        read_source(write_06(tmp_path, own, ["physical"]))


def test_several_coordinate_systems_are_refused(tmp_path):
    leads = ROTATION | {"input": {"name": "physical"}, "output": {"name": "atlas"}}
    path = write_06(tmp_path, sequence(*PLACE), ["physical", "atlas"], [leads])
    with pytest.raises(UserError, match="^config key input_path: [^\n]*atlas[^\n]*rotation[^\n]*$"):
        read_source(path)


def test_a_system_that_is_not_described_is_refused(tmp_path):
    with pytest.raises(UserError, match="^config key input_path: [^\n]*nowhere[^\n]*$"):
        read_source(write_06(tmp_path, sequence(*PLACE), ["physical"], output="nowhere"))


# -- units ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        *[(u, 1e3) for u in ("micrometre", "Micrometer", "micrometers", "micron", "um")],
        *[(u, 1e3) for u in ("\N{MICRO SIGN}m", "\N{GREEK SMALL LETTER MU}m")],
        *[("nm", 1), ("nanometre", 1), ("Nanometer", 1), ("pm", 1e-3), ("foot", 3.048e8)],
        *[
            (u, 0.1)
            for u in ("angstrom", "\N{ANGSTROM SIGN}", "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}")
        ],
        *[("mm", 1e6), ("millimeter", 1e6), ("Mm", 1e15), ("megameter", 1e15), ("inch", 2.54e7)],
    ],
)
def test_units_as_people_write_them(unit, nm, tmp_path):
    path = group_of(tmp_path, [scale(20 / nm, 8 / nm, 8 / nm)], space(unit=unit))
    assert placed(path)[0] == pytest.approx((20, 8, 8), rel=1e-12)


@pytest.mark.parametrize("unit", ["pixel", "pixels", "px", "voxel", " ", "a.u.", "second", "unit"])
def test_what_is_no_length_asks_for_the_voxel_size(unit, tmp_path):
    path = group_of(tmp_path, [scale(1, 1, 1)], space(unit=unit))
    with pytest.raises(UserError, match=ASKS) as error:
        read_source(path)
    assert repr(unit) in str(error.value)
    assert placed(path, voxel_size_nm=(20, 8, 8)) == ((20, 8, 8), (10, 4, 4))


def test_a_unit_of_each_axis(tmp_path):
    axes = [
        {"name": n, "type": "space", "unit": u}
        for n, u in zip("zyx", ("mm", "um", "nm"), strict=True)
    ]
    place = [scale(2e-5, 8e-3, 8), translation(1.1e-4, 0.104, 204)]
    size, centre = placed(group_of(tmp_path, place, axes))
    assert size == pytest.approx((20, 8, 8)) and centre == pytest.approx((110, 104, 204))


@pytest.mark.parametrize("lacking", ["z", "zy"])
def test_a_unit_of_some_axes(lacking, tmp_path):
    """Nobody knows whether the others are nanometres too, unless the known ones are."""
    axes = space(unit="micrometer")
    axes[: len(lacking)] = space(lacking, unit=None)
    path = group_of(tmp_path, [scale(0.02, 0.008, 0.008)], axes)
    with pytest.raises(UserError, match=ASKS) as error:
        read_source(path)
    assert f"none for {', '.join(lacking)};" in str(error.value)
    axes[len(lacking) :] = space("zyx"[len(lacking) :])
    assert placed(group_of(tmp_path, [scale(20, 8, 8)], axes)) == ((20, 8, 8), (0, 0, 0))


def test_a_unit_in_a_transformation(tmp_path):
    own = [scale(200, 80, 80) | {"unit": "angstrom"}]
    assert placed(group_of(tmp_path, own, space(unit=None))) == (WHOLE[0], (0, 0, 0))
    assert placed(group_of(tmp_path, own, space(unit="angstrom"))) == (WHOLE[0], (0, 0, 0))
    with pytest.raises(UserError, match="^config key [^\n]*angstrom[^\n]*$"):
        read_source(group_of(tmp_path, own, space(unit="micrometer")))
    own = [scale(200, 80, 80) | {"unit": "pixel"}]
    with pytest.raises(UserError, match=ASKS):
        read_source(group_of(tmp_path, own, space(unit=None)))


# -- axes -------------------------------------------------------------------------------------

SIZES = {"z": (20, 110), "y": (8, 104), "x": (8, 204)}


def in_order(labels, names):
    """Labels, z y x, with axes in the order of some names; all but z, y and x have length 1."""
    names = names.lower()
    turned = labels.transpose(["zyx".index(n) for n in names if n in "zyx"])
    shape = [labels.shape["zyx".index(n)] if n in "zyx" else 1 for n in names]
    return turned.reshape(shape)


@pytest.mark.parametrize(
    "names", ["xyz", "yxz", "cxyz", "zyxc", "zcyx", "xyzct", "XYZ", "TCZYX", "Czyx", "zxy", "tzyx"]
)
def test_other_orders_are_transposed(names, tmp_path):
    write_zarr2(tmp_path / "v/s0", np.ascontiguousarray(in_order(LABELS, names)), 4)
    place = [[SIZES.get(n.lower(), (1, 0))[k] for n in names] for k in (0, 1)]
    path = ome_group(
        tmp_path / "v", {"s0": [scale(*place[0]), translation(*place[1])]}, space(names)
    )
    assert placed(path) == WHOLE
    assert read_source(path)[0].chunks == (4, 4, 4)
    np.testing.assert_array_equal(voxels(path, tmp_path / "out"), LABELS)


def test_an_index_chooses_from_longer_axes(tmp_path):
    whole = np.zeros((4, 2, *LABELS.shape), np.uint32)
    whole[3, 1] = LABELS
    write_zarr2(tmp_path / "v/s0", whole, 4)
    place = [scale(1, 1, 20, 8, 8), translation(0, 0, 110, 104, 204)]
    path = ome_group(tmp_path / "v", {"s0": place}, space("tczyx"))
    assert placed(path, index={"t": 3, "c": 1}) == WHOLE
    np.testing.assert_array_equal(voxels(path, tmp_path / "out", index={"t": 3, "c": 1}), LABELS)
    assert not voxels(path, tmp_path / "out", index={"t": 3, "c": 0}).any()
    wrong = ({}, {"t": 3}, {"t": 4, "c": 0}, {"t": 3, "c": -1}, {"t": 3, "c": 0, "z": 1}, [3, 0])
    for index in wrong:
        with pytest.raises(UserError, match="^config key index: [^\n]*$"):
            planned({"input_path": path, "output_directory": "out", "index": index})


@pytest.mark.parametrize("names", ["yx", "zy", "cyx", "x", "tcyx"])
def test_fewer_than_three_axes_of_space_are_refused(names, tmp_path):
    array(tmp_path / "s0", [4] * len(names))
    path = ome_group(tmp_path, {"s0": [scale(*[8] * len(names))]}, space(names))
    with pytest.raises(UserError, match="^config key input_path: [^\n]* axes [^\n]*$"):
        read_source(path)
    with pytest.raises(UserError, match="^config key input_path: [^\n]* axes [^\n]*$"):
        read_source(path, voxel_size_nm=(8, 8, 8))


# -- sizes of levels that contradict each other -----------------------------------------------


def levels_of(path, *sizes):
    """A group of s0 and the levels that are half and a quarter of it, of these sizes in nm."""
    datasets = {f"s{k}": [scale(*size)] for k, size in enumerate(sizes)}
    for k, name in enumerate(datasets):
        array(path / name, [n // 2**k for n in (16, 16, 16)])
    # some programs list the coarsest first
    return [ome_group(path, found) for found in (datasets, dict(reversed(datasets.items())))]


@pytest.mark.parametrize(
    "sizes",
    [
        [(8, 8, 8), (16, 16, 1.5)],
        [(8, 8, 8), (4, 4, 4), (2, 2, 2)],
        [(8, 8, 8), (16, 16, 16), (32, 32, 0.1)],
    ],
)
def test_a_coarser_level_is_never_taken_for_s0(sizes, tmp_path):
    for path in levels_of(tmp_path / "v", *sizes):
        with pytest.raises(UserError, match="^config key [^\n]*$"):
            read_source(path)
        assert placements(f"{path}/s0", voxel_size_nm=(8, 8, 8)) == [((8, 8, 8), (4, 4, 4))]


def test_a_first_level_of_impossible_size_is_not_left_out(tmp_path):
    path, _ = levels_of(tmp_path / "v", (8, 8, 1e20), (16, 16, 16))
    ome_group(tmp_path / "v", {"s0": [scale(8, 8, 1e20)], "s1": [scale(16, 16, 16)]})
    with pytest.raises(UserError, match=ASKS):
        read_source(path)


def test_levels_of_one_size(tmp_path):
    """A program wrote the size of s0 for all levels: s0 is the one with the most voxels."""
    for path in levels_of(tmp_path / "v", (8, 8, 8), (8, 8, 8)):
        assert read_source(path)[0].path == f"{path}/s0"
