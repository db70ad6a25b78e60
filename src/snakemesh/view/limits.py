"""What a view can hold, for the command line, which must not wait for numpy."""

# How many segments can be selected at most, and how many can have a colour by a column. The viewer
# writes them to its address, and fetches a manifest and a fragment or more of each selected one.
MOST_SELECTED = 5000
# How many segments a picture of `snakemesh shot` holds at most: it reads a manifest of each.
MOST_DRAWN = 100_000
