"""`make slo`: everything that watches over the service, derived from slo.yaml."""
