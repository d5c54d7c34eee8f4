"""What the workers run: for each kind of work, seqcnn's side and those of its peers.

A side is made from the paths and numbers that its benchmark prepared. `run(size)` does that much
work and returns the units done; `answer` gives the numbers that all sides must agree on;
`settings`, where there are some to choose from, are tried with `choose`, and the fastest kept.
"""
