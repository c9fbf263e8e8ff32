"""`hashzoo new`: a project of one's own, from templates."""
