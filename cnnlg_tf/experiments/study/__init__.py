"""Studies: people judge pairs of pictures, blind, and their answers become scores with intervals."""
