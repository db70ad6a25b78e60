"""Files of pictures: stills as PNG, turntables as GIF or MP4."""

import importlib.util
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from snakemesh.errors import UserError
from snakemesh.output.atomic import replacing

FRAME_MS = 40
# A text in all pictures, by which a file is known as one that may be replaced.
_MARK = "snakemesh"


def refuse_unwritable(path: Path, size: tuple[int, int], moves: bool, is_transparent: bool) -> None:
    """Raise UserError if a picture cannot be written under this name. moves: a turntable."""
    kinds = (".gif", ".mp4") if moves else (".png",)
    kind = path.suffix.lower()
    if kind not in kinds:
        turntable = "" if moves else "; --turntable 72 makes a GIF or an MP4"
        raise UserError(
            f"--output: found {path}, expected a name that ends in {' or '.join(kinds)}{turntable}"
        )
    if kind == ".mp4" and is_transparent:
        raise UserError("--background: MP4 has no transparency; expected white or black, or a GIF")
    if kind == ".mp4" and (size[0] % 2 or size[1] % 2):
        raise UserError(f"--size: found {size[0]}x{size[1]}, expected even numbers for an MP4")
    if kind == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError(
            f"--output: {path} needs the package imageio-ffmpeg: pip install imageio-ffmpeg; "
            "a name that ends in .gif needs nothing more"
        )
    if not path.parent.is_dir():
        raise UserError(f"--output: the folder {path.parent} does not exist")
    if os.path.lexists(path) and not _is_ours(path):
        raise UserError(
            f"--output: {path} exists and is not a picture of snakemesh shot, which alone is "
            "replaced; give another name"
        )


def _is_ours(path: Path) -> bool:
    """Whether a file may be replaced: an empty one, or a picture with the mark."""
    if not path.is_file():
        return False
    if not path.stat().st_size:
        return True
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(_MARK.encode()) >= 0


def write_still(path: Path, image: Image.Image, said: str) -> None:
    """Write a PNG, whole or not at all. said: a text that it holds."""
    text = PngInfo()
    text.add_itxt("Software", _MARK)
    text.add_itxt("Description", said)
    with replacing(path) as temporary:
        image.save(temporary, format="png", pnginfo=text)


def write_turntable(path: Path, frames: Iterator[Image.Image]) -> None:
    """Write a GIF or an MP4, whole or not at all."""
    first = next(frames)
    with replacing(path) as temporary:
        if path.suffix.lower() == ".mp4":
            _write_mp4(temporary, first.size, chain([first], frames))
            return
        first.save(
            temporary,
            format="gif",
            save_all=True,
            append_images=frames,
            duration=FRAME_MS,
            loop=0,
            comment=_MARK,
            disposal=2,  # a transparent frame does not show the one before
        )


def _write_mp4(path: Path, size: tuple[int, int], frames: Iterable[Image.Image]) -> None:
    import imageio_ffmpeg

    writer = imageio_ffmpeg.write_frames(
        str(path),
        size,
        fps=1000 / FRAME_MS,
        quality=8,
        macro_block_size=2,
        output_params=["-f", "mp4", "-metadata", f"comment={_MARK}"],
    )
    writer.send(None)
    try:
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
    finally:
        writer.close()
