"""Deployment files: what TF-Serving, Kubernetes, KServe and Triton need to serve an export."""
