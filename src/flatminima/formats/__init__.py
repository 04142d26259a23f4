"""What each kind of file of arrays holds, as a typed record; without torch."""
