"""Checks, one module a theme. A check looks at a `Service` and returns the evidence that it saw."""
