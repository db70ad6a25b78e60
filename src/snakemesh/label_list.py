"""Lists of labels, in files that all jobs of a run share."""

from dataclasses import dataclass

import numpy as np
from xxhash import xxh3_128

from snakemesh.errors import UserError

# The keys of the configuration that list labels: those to mesh, and those not to mesh.
LIST_KEYS = ("target_ids", "exclude_ids")
# Why labels are left out, by the key that does it.
WHY_LEFT_OUT = {
    "target_ids": "not in target_ids",
    "exclude_ids": "in exclude_ids",
    "min_voxels": "with fewer voxels than min_voxels",
}


@dataclass(frozen=True)
class LabelList:
    """A list of labels, however long. path: of its file. digest: stands for its labels."""

    path: str
    digest: str

    def load(self) -> np.ndarray:
        """The labels: uint64 of shape (n,), ascending, none twice; only what is used is in memory.

        Raises UserError where the file is not what the run that plans has written.
        """
        try:
            labels: np.ndarray = np.load(self.path, mmap_mode="r")
            is_sound = digest_of(labels) == self.digest
        except (OSError, ValueError, EOFError):
            is_sound = False
        if not is_sound:
            again = "give the same command again to make it anew"
            raise UserError(f"{self.path} is damaged or gone; {again}")
        return labels


def digest_of(labels: np.ndarray) -> str:
    """What stands for a list of labels: uint64 of shape (n,), ascending."""
    return xxh3_128(np.ascontiguousarray(labels, "<u8").data).hexdigest()


# The lists of a configuration in the order of LIST_KEYS; None for a key that lists no labels.
LabelLists = tuple[LabelList | None, LabelList | None]
NO_LISTS: LabelLists = (None, None)
