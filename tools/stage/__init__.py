"""The stage: what the demo and the e2e tests set up around the operator - cluster, S3 server, scheduler, volumes."""
