"""Which creative goes into which slot: inventory, targeting, the order of candidates. Pure."""
