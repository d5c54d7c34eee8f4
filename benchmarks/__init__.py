"""How fast seqcnn is, beside plain PyTorch and named peers, on the machine at hand.

``python -m benchmarks`` runs all, ``python -m benchmarks NAME [NAME ...]`` some of them, and
``--quick`` a smoke test of some. Every side (seqcnn, a peer, a limit of the machine)
is a worker process of its own that loads once and then does one repetition at a time, so that
the sides take turns: A B A B ... Peers live in environments of their own, which the command
makes. Before a side is timed, its numbers are compared with seqcnn's.

Results go to ``benchmarks/results``: NAME.json with every run, results.md with one table of
all, ratios.png, and growth.png with the time against the amount of work.
"""
