"""Proof: an image is made again from its own record, and every bit of it compared.

exhibits      what is to be proved: files, and what folders and manifests list
pixels        the picture in a file, and how far it is from another
verdict       what differs, how far, and why
report        a verdict as a line of text or of JSON
examination   making the images again; the one part that needs torch
"""
