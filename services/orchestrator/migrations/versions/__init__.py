"""One file per version, applied in order and never edited once it was merged."""
