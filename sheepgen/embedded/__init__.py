"""The embedded model: words looked up in a table, a small parser, and pictures of its concepts."""
