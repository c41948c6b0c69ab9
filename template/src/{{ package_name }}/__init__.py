"""The service. `app.py` puts it together, `routes.py` is its HTTP API, `ops/` is how it runs (the template's)."""
