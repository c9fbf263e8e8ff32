"""Tables, pictures and progress: what people read."""
