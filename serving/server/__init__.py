"""The embedded server: model_server.py puts it together, prediction.py answers, rest.py and grpc_services.py speak."""
