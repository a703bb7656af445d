"""What the tools of this checkout share: where things are kept, and how they are made when they are not there."""
