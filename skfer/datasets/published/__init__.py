"""Published data sets, a file each: they read the copy that you have on disk."""
