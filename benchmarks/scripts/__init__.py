"""Scripts that score variants as one writes them without seqcnn; each is a whole process."""
