"""What the tests of the smoke tests need: servers with one fault each, certificates, and a way to run the command."""
