"""Templates: their versions, as files and as forms."""
