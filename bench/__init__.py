"""Speed and memory on real servers: `make bench` prints each goal with its figure and verdict."""
