"""Where alerts go: each module is one kind of channel."""
