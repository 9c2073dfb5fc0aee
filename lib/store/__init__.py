"""Where days, photos and people are kept: a database, the files of file mode, or the sample season."""
