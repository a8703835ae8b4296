"""Measures sheepgen beside its peers: the same work, in turns, each as a process of its own.

`sheepgen.bench.works` is the table of what is measured, `sheepgen.bench.run` the loop.
"""
