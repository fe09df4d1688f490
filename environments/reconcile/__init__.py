"""Making cluster and directory match an environment's row: `engine.reconcile` is the one entry."""
