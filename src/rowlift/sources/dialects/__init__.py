"""SQL texts, type casts, grants and error maps of each source, as data."""
