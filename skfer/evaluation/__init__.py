"""Cross-validated comparison of embedders: protocols, folds, scores and tables."""
