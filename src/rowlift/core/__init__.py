"""Nouns, ports, errors, rules and the clock: values and contracts only, no I/O."""
