"""The data of the next embedded model: 771 things in seven styles, 256 pixels, open vocabulary.

One way only: tables (`drawing_sets`, `concepts`, `places`, `held_out`) feed `casting`, which draws
a `Scene`; `captions` puts it into words, `layout` and `painter` into pixels; `dataset` keeps both.
The model that is installed now was trained on the scenes of `sheepgen.training.scenes`.
"""
