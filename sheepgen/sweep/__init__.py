"""Many images from one command: planned whole, made by an executor, none lost and none made twice.

Planning and remembering know nothing of how images are made: a plan is a list of requests, an
executor turns requests into events.
"""
