"""The whole stack on one machine with one command: engines, six services with API and worker, the gateway."""
