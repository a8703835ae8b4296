"""Requests in, events out: who makes an image, with what, how long it takes, and that none is lost."""
