"""Training data of the embedded model: scenes of known concepts, with captions and pictures.

Data goes one way: the tables (`icon_sets`, `concepts`, `backgrounds`, `splits`) feed `sampling`,
which returns a `Scene`; `captions` describes it, `layout` places its icons, `rendering` paints it,
and `dataset` keeps scenes and pictures on disk.
"""
