"""The door to Kubernetes, and the pure builders of what goes through it."""
