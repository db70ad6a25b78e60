"""How many blocks a bundle holds, from the numbers of blocks and shards alone.

It must not depend on the machine, because products are named after it.
"""

# A shard job opens each container three times. With more pairs of a container and a shard than
# this, the containers are copied into fewer bundles before ...
MAX_SECTIONS = 1 << 22
# ... so few that there are at most about this many pairs of a bundle and a shard.
BUNDLED_SECTIONS = 1 << 18


def blocks_per_bundle(n_blocks: int, num_shards: int) -> int:
    """How many blocks a bundle holds; 1 if shards read the containers of the blocks.

    n_blocks: of all LODs.
    """
    sections = n_blocks * num_shards
    return 1 if sections <= MAX_SECTIONS else -(-sections // BUNDLED_SECTIONS)
