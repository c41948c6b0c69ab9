"""The fleet command against real repositories, and docs/platform-team.md followed to the letter."""
