"""What is rendered from manifests/, and committed: the Helm chart, and the PrometheusRule of the alerts."""
