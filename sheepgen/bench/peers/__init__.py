"""What sheepgen is compared with: scripts as people write them, one a file, each a whole process.

They say on standard error what they did, a JSON line a step and one at the end, as
``sheepgen --progress-json`` does.
"""
