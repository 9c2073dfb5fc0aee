"""Photos: what a file is, when it was taken, how good it is, what it repeats, and where it is kept."""
