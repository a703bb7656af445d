"""Text from elsewhere, made fit for a message."""


def one_line(text: str, *, limit: int = 200) -> str:
    """`text` in one line of at most `limit` printable characters, the rest cut off with an ellipsis."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
