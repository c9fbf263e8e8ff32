"""Training of deep methods: one plain loop."""
