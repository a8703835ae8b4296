"""From a request to pixels: loaded models of several families, and one loop over all of them.

Every module here imports torch; import none of them before the request is known to be sound.
"""
