"""Datasets: what the images are, and which of them train, query and answer."""
