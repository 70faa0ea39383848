"""To erase people: what is theirs, a mart without it, and a signed account of that."""
