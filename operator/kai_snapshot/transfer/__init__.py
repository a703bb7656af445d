"""The endpoint replay Jobs get their archive from and hand their log and result to, its tokens, and its client."""
