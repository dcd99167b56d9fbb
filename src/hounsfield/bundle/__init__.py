"""The exported model: its network, its preprocessing, and cases that prove it computes right.

Opening a bundle and predicting with one imports no torch; only `graph` and `export` do.
"""
