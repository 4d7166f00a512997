"""What ops write, read into frozen values: YAML in, typed settings or every fault with its place out."""
