"""Backups: what one holds, where it lies, how it is made, proven by restoring it, brought back and let go."""
