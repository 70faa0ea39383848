"""Copies of a mart for analysts: what becomes of each column, the copy itself, and how alike its people are."""
