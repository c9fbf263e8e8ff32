"""Measures of a set of codes; one file each."""
