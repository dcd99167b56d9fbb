"""What a person reads: the report, the model card, the figures and the tables."""
