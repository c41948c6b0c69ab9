"""Smoke tests of a running service, by its address alone: `python -m ops.smoke URL`.

It needs httpx2 and PyYAML, and none of the service's code.
"""
