import numpy as np
import pytest

from snakemesh.errors import UserError
from snakemesh.products.fingerprints import Fingerprints
from snakemesh.survey.input_state import InputState, read_state, write_state
from snakemesh.survey.label_lists import label_files, list_remarks, read_lists, write_lists
from volumes import plan_of, settings_with, volume


def listed(dtype="uint64", **keys):
    return read_lists(settings_with(**keys), dtype)


def table(folder, *labels, name="ids.csv", heading="id"):
    path = folder / name
    path.write_text("\n".join([heading, *map(str, labels)]) + "\n")
    return str(path)


def test_a_list_and_a_file_are_the_same(tmp_path):
    labels = [2**64 - 1, 5, 17, 5]
    given = listed(target_ids=labels)["target_ids"]
    read = listed(target_ids=table(tmp_path, *labels))["target_ids"]
    assert given.labels.tolist() == read.labels.tolist() == [5, 17, 2**64 - 1]
    assert given.n_again == read.n_again == 1
    assert read.labels.dtype == np.uint64
    assert listed() == {}


@pytest.mark.parametrize("key", ["target_ids", "exclude_ids"])
@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([], "found no label in {path}, expected at least one"),
        ([1, 0], "{path}, line 3 has the label '0', expected a whole number from 1 and below"),
        ([-1], "{path}, line 2 has the label '-1'"),
        (["7.0"], "{path}, line 2 has the label '7.0'"),
        ([2**64], "{path}, line 2 has the label '18446744073709551616'"),
        ([255, 256], "found 256 in {path}, the labels are uint8, at most 255"),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path, key, labels, says):
    path = table(tmp_path, *labels)
    with pytest.raises(UserError) as caught:
        listed("uint8", **{key: path})
    message = str(caught.value)
    assert message.startswith(f"config key {key}: {says.format(path=path)}")
    assert message.isprintable()


def test_a_file_that_is_a_bare_list(tmp_path):
    """Its first label is not lost."""
    path = table(tmp_path, 6, 7, heading="5")
    with pytest.raises(UserError, match="ids.csv, line 1 begins with the label '5', expected a "):
        listed(target_ids=path)


@pytest.mark.parametrize("key", ["target_ids", "exclude_ids"])
@pytest.mark.parametrize(
    ("dtype", "fits", "does_not"), [("uint8", 255, 256), ("int16", 32767, 32768)]
)
def test_labels_that_no_voxel_can_have(key, dtype, fits, does_not):
    assert listed(dtype, **{key: (1, fits)})
    with pytest.raises(UserError, match=f"^config key {key}: found {does_not}, [^\n]*{fits}$"):
        listed(dtype, **{key: (does_not, 1)})


def test_a_file_that_is_not_there():
    with pytest.raises(UserError, match="^config key exclude_ids: nowhere.csv cannot be read"):
        listed(exclude_ids="nowhere.csv")


def test_lists_that_leave_nothing():
    with pytest.raises(UserError, match="^config key exclude_ids: found all labels of target_ids"):
        listed(target_ids=(3, 5), exclude_ids=(9, 5, 3))
    assert listed(target_ids=(3, 5), exclude_ids=(5,))


def test_what_the_plan_says():
    keys = {"target_ids": (3, 3, 4), "exclude_ids": (4,), "min_voxels": 1000}
    assert list_remarks(settings_with(**keys), listed(**keys)) == [
        "  labels   2 labels in target_ids (1 given more than once)",
        "  labels   1 label in exclude_ids",
        "  labels   without 1 label of target_ids that exclude_ids has too",
        "  labels   with fewer than 1,000 voxels are left out",
    ]
    assert list_remarks(settings_with(), {}) == []


def test_jobs_find_what_the_run_has_read(tmp_path):
    """A list that changes while a run goes on does not change its jobs."""
    keys = {"target_ids": table(tmp_path, 5, 3), "output_directory": str(tmp_path / "out")}
    plan = plan_of(volume(), **keys)
    lists = listed(**keys)
    state = InputState(plan, {}, label_files(plan, lists))
    write_lists(state.lists, lists)
    write_state(str(tmp_path / "out" / "work" / "input.npz"), state)
    table(tmp_path, 9)
    found = read_state(str(tmp_path / "out" / "work" / "input.npz"), plan)
    assert found.lists == state.lists
    assert found.lists[0].load().tolist() == [3, 5] and found.lists[1] is None
    assert Fingerprints(plan, found).blocks == Fingerprints(plan, state).blocks


def test_a_file_of_jobs_that_is_damaged(tmp_path):
    plan = plan_of(volume(), output_directory=str(tmp_path))
    lists = listed(exclude_ids=(5, 7))
    _, file = files = label_files(plan, lists)
    write_lists(files, lists)
    path = tmp_path / "work" / "exclude_ids.npy"
    whole = path.read_bytes()
    for data in (b"", whole[:-1], whole[:-1] + b"\1", whole[:50], b"x" * len(whole)):
        path.write_bytes(data)
        with pytest.raises(UserError, match=f"^{path} is damaged or gone; give the same command"):
            file.load()
    path.unlink()
    with pytest.raises(UserError, match="is damaged or gone"):
        file.load()


def test_the_labels_count_not_where_they_come_from(tmp_path):
    def blocks(**keys):
        plan = plan_of(volume(), **keys)
        return Fingerprints(plan, InputState(plan, {}, label_files(plan, listed(**keys)))).blocks

    csv = table(tmp_path, 7, 3)
    here = blocks(target_ids=csv)
    assert here == blocks(target_ids=(3, 7)) == blocks(target_ids=(7, 3, 3))
    assert here == blocks(target_ids=table(tmp_path, 3, 7, name="other.csv"))
    table(tmp_path, 3, 7, 8)
    others = {blocks(target_ids=csv), blocks(exclude_ids=(3, 7)), blocks()}
    assert len(others | {here}) == 4
