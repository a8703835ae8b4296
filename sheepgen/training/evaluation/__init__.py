"""Scores a model: fixed prompts, a classifier, metrics."""
