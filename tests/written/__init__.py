"""Small data sets in their exact form on disk, one module a reader, each with `write(root)`."""
