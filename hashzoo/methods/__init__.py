"""Hashing methods, a file each."""
