"""The command line: thin commands over the library. Nothing else imports this package."""
