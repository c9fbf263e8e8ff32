"""Backbones: images to feature vectors."""
