"""How kinds of things work; what exists is said in `defs/`."""
