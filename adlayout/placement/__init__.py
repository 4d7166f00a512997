"""Rules and selection: where in an article ads stand, and why nowhere else. Knows no HTML, no store, no ad."""
