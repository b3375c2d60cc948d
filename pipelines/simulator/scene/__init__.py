"""What happens in front of a simulated camera: the hall, the walks, and their exact truth."""
