"""Runs the cells of a grid, and knows no paper."""
