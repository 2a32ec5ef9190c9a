"""Trains Parallax's models in PyTorch: on one GPU, on several, or on a processor. See
`training/README.md`."""
