"""How well seqcnn tells sites from the rest, beside named peers, on data nobody tuned to."""
