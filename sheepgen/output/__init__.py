"""What becomes of events: files, progress bars, and JSON Lines for other programs.

Nothing here knows models or tensors. Functions that take events are generators that pass every
event on, so they can be chained.
"""
