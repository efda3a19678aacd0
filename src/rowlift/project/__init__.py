"""YAML files to nouns, with secrets by reference."""
