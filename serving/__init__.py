"""Serving: the embedded server, the client, and deployment files."""
