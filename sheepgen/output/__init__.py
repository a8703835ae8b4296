"""What becomes of events: files, a bar in the terminal, lines for other programs.

A sink takes events and knows neither models nor tensors. Those here are generators that pass
every event on, so that they are chained and the last one is read.
"""
