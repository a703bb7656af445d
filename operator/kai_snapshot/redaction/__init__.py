"""Redaction: names and texts of an archive replaced under a key, and a result turned back by a table. Pure."""
