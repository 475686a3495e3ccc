"""Small generators that `make gen` runs over buf's image, and the gates around the contracts."""
