"""Millions of photos: a manifest in, repaired files and a ledger out, on Ray Data."""
