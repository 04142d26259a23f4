"""What is for people who bring a network of their own: a problem, and what is found of it."""
