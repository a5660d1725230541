"""Exporters: one free function a format, all with the same signatures."""
