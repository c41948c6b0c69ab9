"""Whether the service is ready for production: every row of the catalogue, with the evidence that was seen.

Through it: `catalogue/*.yaml` says what must hold (`rows`), `checks/` look (`registry`), `readiness.yaml` says what
people have signed (`statements`), `assessment` puts the three together, `report_*` tell it.
"""
