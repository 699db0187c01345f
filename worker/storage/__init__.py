"""What lasts: the database, its migrations, and the files of artifacts."""
