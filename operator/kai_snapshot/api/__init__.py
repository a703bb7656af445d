"""The language everybody here speaks: both kinds, conditions, manifest and result. Models only, no I/O."""
