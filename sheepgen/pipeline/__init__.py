"""From a request to pixels: a bundle of loaded parts, and free functions over it.

Every module here imports torch; import none of them before the request is known to be sound.
"""
