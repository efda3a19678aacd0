"""A folder of YAML and SQL files, read into specs: `files.py` first, then `models.py`."""
