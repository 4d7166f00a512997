"""The story of a rehearsal: tests on generated readers of whom the truth is known, and how often they are right."""
