"""The story of reports: what was counted, read back as rows for people and programs. Writes nothing but repairs."""
