"""The web UI: pages that the server renders, each of which is also JSON for who asks for it."""
