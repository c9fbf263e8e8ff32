"""From a cell (method, dataset, code length, seed) to a record on disk."""
