"""Requests in, events out: who makes an image, and how long it takes."""
