"""Which model a name means, and whether its files may be loaded. Nothing here imports torch."""
