"""The state of an embedder: snapshots, pickles, files of a fit, and going on with one."""
