"""Files of pictures."""

import importlib.util
from pathlib import Path

import imageio_ffmpeg
import pytest
from PIL import Image

from snakemesh.drawing.image_files import (
    FRAME_MS,
    refuse_unwritable,
    write_still,
    write_turntable,
)
from snakemesh.errors import UserError


def images(count, mode="RGB"):
    for k in range(count):
        yield Image.new(mode, (20, 12), (20 * k, 100, 0, 255)[: len(mode)])


def test_a_still_holds_what_is_said_of_it(tmp_path):
    path = tmp_path / "a.png"
    write_still(path, next(images(1, "RGBA")), "the bar is 5 µm long")
    with Image.open(path) as found:
        assert (found.format, found.size, found.mode) == ("PNG", (20, 12), "RGBA")
        assert getattr(found, "n_frames", 1) == 1
        assert found.text["Description"] == "the bar is 5 µm long"


@pytest.mark.parametrize("name", ["a.gif", "A.GIF"])
def test_a_turntable_has_all_its_frames(tmp_path, name):
    write_turntable(tmp_path / name, images(5))
    with Image.open(tmp_path / name) as found:
        assert found.n_frames == 5
        for k in range(5):
            found.seek(k)
            assert found.info["duration"] == FRAME_MS
            red = found.convert("RGB").getpixel((3, 3))[0]
            assert abs(red - 20 * k) <= 4


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.mp4"])
def test_only_a_picture_of_ours_is_replaced(tmp_path, name):
    """A file of the user's stays as it is, whatever it is."""
    path = tmp_path / name
    moves, sized = name != "a.png", (20, 12)
    refuse_unwritable(path, sized, moves, False)
    path.touch()
    refuse_unwritable(path, sized, moves, False)
    if moves:
        write_turntable(path, images(2))
    else:
        write_still(path, next(images(1)), "said")
    refuse_unwritable(path, sized, moves, False)
    for make in (
        lambda: next(images(1)).save(path, format="png"),
        lambda: path.write_text("a letter"),
        path.mkdir,
        lambda: path.symlink_to(tmp_path / "nowhere"),
    ):
        path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)
        make()
        with pytest.raises(UserError, match=f"{name} exists and is not a picture of snakemesh"):
            refuse_unwritable(path, sized, moves, False)


def test_a_failure_leaves_the_file_of_before(tmp_path):
    def failing():
        yield from images(2)
        raise KeyboardInterrupt

    path = tmp_path / "a.gif"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        write_turntable(path, failing())
    assert [file.name for file in tmp_path.iterdir()] == ["a.gif"]
    assert path.read_bytes() == b"before"


def test_a_turntable_as_mp4(tmp_path):
    write_turntable(tmp_path / "a.mp4", images(5))
    frames = imageio_ffmpeg.read_frames(str(tmp_path / "a.mp4"))
    facts = next(frames)
    assert (facts["size"], facts["fps"], len(list(frames))) == ((20, 12), 25, 5)


@pytest.mark.parametrize(
    ("path", "width", "moves", "is_transparent", "says"),
    [
        (
            "a.jpg",
            20,
            False,
            False,
            "expected a name that ends in .png; --turntable 72 makes",
        ),
        ("a.gif", 20, False, False, "expected a name that ends in .png; --turntable"),
        ("a", 20, True, False, "expected a name that ends in .gif or .mp4$"),
        ("a.mp4", 20, True, True, "MP4 has no transparency"),
        ("a.mp4", 20, True, False, "pip install imageio-ffmpeg"),
        ("a.mp4", 21, True, False, "--size: found 21x12, expected even numbers"),
        ("nowhere/a.png", 21, False, False, "the folder nowhere does not exist"),
    ],
)
def test_what_cannot_be_written_is_refused(path, width, moves, is_transparent, says, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=says):
        refuse_unwritable(Path(path), (width, 12), moves, is_transparent)
