"""Metrics, peers, reports and experiments."""
