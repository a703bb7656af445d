"""What a node or a cluster is, as AICR's `Snapshot` document says it: read from what others wrote, and compared. Pure."""
