"""Grafana dashboards as code, beside the pages: ``sanwang dashboards export DIR`` writes them for its provisioning.

They ask the same Prometheus as the pages do; a test runs every query against what the collector exposes.
"""
