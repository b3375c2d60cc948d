"""Events on their way to others: their envelope, and who hands them on."""
