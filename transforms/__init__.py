"""Pure steps from bytes to checked rows. They open nothing, and time is passed in."""
