"""What a snapshot archive is: checking one as it comes in, reading it, preparing it for a replay. All of it streams."""
