"""Parts that shallow methods share."""
