"""JSON, as rows, columns and as pandas lays it out."""
