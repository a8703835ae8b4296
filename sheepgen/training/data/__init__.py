"""The data of the embedded model: scenes of 412 things, with captions that say what is in them.

One way only: tables (`drawing_sets`, `concepts`, `places`, `held_out`) feed `casting`, which draws
a `Scene`; `captions` puts it into words, `layout` and `painter` into pixels; `dataset` keeps both.
"""
