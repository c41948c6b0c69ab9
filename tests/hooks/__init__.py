"""Unit tests of the scripts around an update."""
