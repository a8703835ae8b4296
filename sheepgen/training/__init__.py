"""How the embedded model is made, from package downloads to the installed folder.

``sheepgen train`` and ``sheepgen evaluate`` run it; nothing else outside this package imports it.
"""
