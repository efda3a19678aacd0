"""The crash walk: kill at one point, start again, compare everything, for every point."""
