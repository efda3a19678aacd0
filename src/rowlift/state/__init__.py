"""What Rowlift remembers: runs, images, ledgers, files, definitions."""
