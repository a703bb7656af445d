"""What a node or a cluster is, in the words of AICR's `Snapshot` document. Pure: others read, this understands."""
