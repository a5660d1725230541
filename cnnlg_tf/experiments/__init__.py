"""Experiments train variants and measure them alike; studies ask people. Both stand above training and evaluation."""
