"""`snakemesh shot` draws a finished output."""

import numpy as np
import pytest
from PIL import Image

from snakemesh.cli.program import main


def shot(output, path, *words) -> np.ndarray:
    """The picture that the command writes, RGB."""
    main(["shot", str(output), "--output", str(path), "--size", "300x200", *words])
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_the_segments_that_are_named_are_drawn_in_their_colours(multires, tmp_path, capsys):
    both = shot(multires.parent, tmp_path / "a.png", "--where", "voxels > 1000")
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path}/a.png: ") and " segments at LOD 0, " in said
    one = shot(multires.parent, tmp_path / "b.png", "--ids", "7", "--lod", "0")
    said = capsys.readouterr().out
    assert ": 1 segments at LOD 0" in said and "the bar is " in said
    # label 7 is #3bc4ff or darker: hues of its pixels are one, those of the others are many
    for picture, hues in ((one, 1), (both, 6)):
        spread = np.ptp(picture, axis=-1)
        coloured = picture[spread > 60]
        assert len(coloured) > 300
        kinds = {tuple(np.argsort(pixel, kind="stable")) for pixel in coloured.tolist()}
        assert (len(kinds) == 1) == (hues == 1)


def test_colours_by_a_column(multires, tmp_path, capsys):
    """The colours are those of viridis, none of which is red."""
    words = ("--where", "voxels > 1000", "--color-by", "voxels", "--lod", "0")
    picture = shot(multires.parent, tmp_path / "a.png", *words)
    assert "Colours by voxels: " in capsys.readouterr().out
    red, green, _ = picture[np.ptp(picture, axis=-1) > 60].T
    assert len(red) and (green > red - 40).all()


def test_a_turntable(unsharded, tmp_path):
    """Of meshes in files of their labels."""
    path = tmp_path / "a.gif"
    shot(unsharded.parent, path, "--turntable", "4", "--background", "transparent")
    with Image.open(path) as found:
        assert found.n_frames == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--ids", "8"], "these labels are not in .*segments.parquet: 8"),
        (["--lod", "9"], "--lod: found 9, expected 0 to 2"),
        (["--where", "label == 8"], "there is no segment to draw"),
        (["--turntable", "3", "--output", "a.tif"], "expected a name that ends in"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(multires, tmp_path, words, says):
    with pytest.raises(SystemExit, match=f"^snakemesh: {says}|^snakemesh: --output.*{says}"):
        main(["shot", str(multires.parent), "--output", str(tmp_path / "a.png"), *words])
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "words", [["--size", "20x20"], ["--size", "9"], ["--view", "0,91"], ["--turntable", "1"]]
)
def test_odd_options_are_refused(tmp_path, words, capsys):
    with pytest.raises(SystemExit):
        main(["shot", str(tmp_path), "--output", "a.png", *words])
    assert "snakemesh shot: error: argument --" in capsys.readouterr().err
