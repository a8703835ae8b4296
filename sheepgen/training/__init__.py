"""How the embedded model is made, from package downloads to the installed folder.

Run ``python -m sheepgen.training --help``. Nothing outside this package imports it.
"""
