"""How a simulated person looks: a body, its clothes, light on it, sprites of it."""
