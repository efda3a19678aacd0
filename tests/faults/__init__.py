"""The real program on real databases, what is done to it, and the proof that nothing came of it."""
