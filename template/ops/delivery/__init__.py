"""What is deployed: rules for the rendered manifests, releases into environments and back.

Standard library and PyYAML; kustomize and kubectl are run.
"""
