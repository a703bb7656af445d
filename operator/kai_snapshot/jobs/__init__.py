"""The Jobs of a replay: what they look like, and what became of them. Pure."""
