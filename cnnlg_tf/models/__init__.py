"""The networks: what the method is. Nothing here knows of training, export or serving."""
