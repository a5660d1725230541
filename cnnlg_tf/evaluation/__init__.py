"""Metrics, peers and reports."""
