"""Read, validate, merge, apply, deliver, record."""
