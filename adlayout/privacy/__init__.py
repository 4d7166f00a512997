"""Stage: what may be done with a reader, and under which name the store knows them."""
