"""Stories drawn from seeds, lived through by the real operations: python -m torture.simulation."""
