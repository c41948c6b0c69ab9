"""What is deployed: rules for the rendered manifests, releases into environments and back.

Standard library, PyYAML and httpx2; kustomize and kubectl are run.
"""
