"""The tutorial: what adlayout does, told through HTTP, on good days and on bad ones."""
