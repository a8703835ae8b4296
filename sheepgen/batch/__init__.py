"""Jobs as JSON lines: read, made one after the other, each line answered once."""
