"""Images and masks to train and measure on."""
