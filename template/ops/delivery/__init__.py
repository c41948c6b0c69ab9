"""Checks what is deployed: the rendered Kubernetes manifests. Standard library and PyYAML."""
