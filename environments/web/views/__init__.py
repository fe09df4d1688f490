"""The pages: fetch through permissions.py, act through actions.py, answer."""
