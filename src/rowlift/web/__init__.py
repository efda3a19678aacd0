"""The HTTP doors: the JSON API, and what they share; each route calls one operation."""
