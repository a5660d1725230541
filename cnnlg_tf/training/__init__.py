"""Training: the model with its train_step, losses, penalties, callbacks, distribution."""
