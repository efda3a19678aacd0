"""Everything a person can do; the only place that wires parts together."""
