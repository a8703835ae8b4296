"""A process that keeps PyTorch and models loaded, for the commands of one user.

place      where its socket is, and who is at the other end
handshake  what both ends must have in common
messages   what they say to each other after that
link       the connection, as a command sees it
client     the engine and the executor that use it
start      start it, stop it
door       where commands come in
session    the connection, as the worker sees it
tasks      what is to be done, in fair order
models     what is loaded
server     the worker itself

A command loads nothing that takes time from here before it has found a worker.
"""
