"""Loss terms on relaxed codes, a file each."""
