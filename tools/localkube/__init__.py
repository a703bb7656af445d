"""A single-node Kubernetes cluster from Go modules and Debian packages, behind the verbs of the `kind` command."""
