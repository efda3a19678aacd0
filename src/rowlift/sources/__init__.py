"""One file for each kind of warehouse or database."""
