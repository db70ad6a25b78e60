"""What people call a volume: the name in its metadata, or else that of its file."""

from snakemesh.source.level import SourceLevel

# Names that many volumes have. A file of such a name is named with its folder.
_GENERIC = {
    *("", "data", "default", "image", "label", "labels", "mask", "masks", "output", "raw"),
    *("s0", "seg", "segmentation", "segmentations", "volume", "0", "1"),
}
_ENDINGS = (".zip", ".ozx", ".zarr", ".n5", ".ome", ".precomputed")


def volume_name(level: SourceLevel, path: str) -> str:
    """The OME name of a volume, or the end of its path up to the first name that says something.

    level: one of the volume. path: where the user says it is, in a file system or as a URL. OME
    names with a slash are paths inside a file, which ome-zarr-py writes.
    """
    given = level.given_name.strip()
    if given.lower() not in _GENERIC and "/" not in given:
        return given
    parts = [part for part in path.partition("://")[2 if "://" in path else 0].split("/") if part]
    name: list[str] = []
    for part in reversed(parts):
        name.insert(0, _without_endings(part))
        if name[0].lower() not in _GENERIC:
            break
    return "/".join(name)


def _without_endings(name: str) -> str:
    while ending := next((end for end in _ENDINGS if name.lower().endswith(end)), None):
        name = name[: -len(ending)]
    return name
