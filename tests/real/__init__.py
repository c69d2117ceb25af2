"""A package, so that the servers these tests share end with the last of them."""
