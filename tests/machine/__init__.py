"""Everything a person can do with one project, in any order: a state machine."""
