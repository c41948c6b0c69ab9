"""Load tests of a running service, with a mix of requests, stages and thresholds from load.yaml. Locust sends them."""
