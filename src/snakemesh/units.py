"""Lengths, sizes and times in words, in the unit that fits."""

from collections.abc import Iterable, Sequence


def lengths(sizes_nm: Sequence[float]) -> str:
    """Lengths in the largest unit of nm, µm and mm in which none of them is below 1."""
    units = ((1e6, "mm"), (1e3, "µm"), (1.0, "nm"))
    unit, name = next(u for u in units if min(sizes_nm) >= u[0] or u is units[-1])
    texts = (f"{size / unit:.3f}".rstrip("0").rstrip(".") for size in sizes_nm)
    return f"{' x '.join(texts)} {name}"


def file_size(n: float) -> str:
    """A number of bytes, with three digits."""
    return next(
        f"{n / size:,.3g} {unit}"
        for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "KB"))
        if n >= size or unit == "KB"
    )


def duration(seconds: float) -> str:
    """A time, with two or three digits."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:,.3g} h"


def sides(numbers: Iterable[int]) -> str:
    """Numbers of voxels along axes: "64 x 64 x 32"."""
    return " x ".join(map(str, numbers))


def counted(n: int, what: str) -> str:
    """A number of things: "1 job", "2,000 jobs"."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def rounded(numbers: Iterable[float]) -> list[float]:
    """Numbers with at most three decimals, as a message quotes them."""
    return [round(float(number), 3) for number in numbers]
