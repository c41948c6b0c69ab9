"""Many services at once, for the team that owns the template: who is on which version, what an update would do, and
the update itself in rings. docs/platform-team.md tells how it is used.
"""
