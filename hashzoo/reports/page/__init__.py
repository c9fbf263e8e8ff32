"""The page of `hashzoo report`: one HTML file that loads nothing."""
