"""What describes an image to a shallow method: GIST, its pixels, or the features of a trained network."""
