"""A history of the template and services that live through it, for the tests of updates."""
