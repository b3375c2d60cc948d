"""What Ray Serve makes replicas of, each in a module of its own: a replica imports what it needs, and starts sooner."""
