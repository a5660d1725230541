"""Photo in, photo out."""
