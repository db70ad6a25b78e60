"""What a view can hold, for the command line, which must not wait for numpy."""

# Labels that can be selected: each is a part of the URL.
MOST_SELECTED = 1000
