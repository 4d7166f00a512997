"""Which layout a page of an experiment gets, and what came of it: pure, and told everything by its callers."""
