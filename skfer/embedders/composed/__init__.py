"""Embedders within pipelines, searches and classifiers."""
