"""What people do, one file a noun. Every verb checks for itself."""
