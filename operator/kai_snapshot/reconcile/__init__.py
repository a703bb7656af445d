"""What to do about an object, decided from the object, what was observed and the time: one pure function per kind."""
