"""How events are sent while something goes on."""

LOOK_SECONDS = 0.5
LONGEST_SECONDS = 900.0  # then a browser asks again, and must still have the right
