"""How good detection and tracking are, against labelled images and recordings."""
