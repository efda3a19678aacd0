"""People and accounts: what the workspace holds and how it is written."""
