"""What people ask of the stored minutes, and how it is drawn."""
