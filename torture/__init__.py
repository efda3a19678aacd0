"""Real processes, killed again and again: python -m torture."""
